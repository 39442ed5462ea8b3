"""Pages in a real browser: `make test-browser` brings Debian's Chromium where it may."""
