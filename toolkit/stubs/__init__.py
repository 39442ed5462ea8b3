"""Generated from `protos/` by `toolkit stubs`: never edit by hand."""
