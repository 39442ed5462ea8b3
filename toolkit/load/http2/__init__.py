"""Unary gRPC over HTTP/2 without a gRPC library: frames that were encoded beforehand, and answers read as they come.

May live here: the protocol (RFC 9113, RFC 7541, gRPC over HTTP/2), as data in and data out. May not: sockets, clocks,
schedules, records.
"""
