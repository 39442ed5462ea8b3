"""The embedded broker against a recording of a real one, and its rules one by one."""
