"""The stores of transfers beside real servers: a Redis, and one that speaks S3.

May live here: the servers, and what stores promise. May not: what needs none of them (`tests/unit/sdk`).
"""
