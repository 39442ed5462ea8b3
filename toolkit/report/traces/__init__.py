"""What the traces' page shows, as documents that a browser reads: an overview, one trace, a search, a difference.

May live here: from spans and an `Analysis` to plain data (dicts, lists, numbers, text), the drawing's layout, and how
documents get into a page. May not: statistics (`measure`), sockets and files (`explorer`), words of colour or place on
a screen (`templates/traces`). Times are whole microseconds, unknown is None, and every text of a span is a stranger's.
"""
