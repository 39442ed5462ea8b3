"""The server behind `toolkit trace ui`: traces of a run, a file, a store or a Zipkin, for one page in a browser.

May live here: where traces come from (`fixed`, `live`), what is answered (`answers`), and the socket (`server`). May
not: what a document says (`report.traces`), statistics (`measure`), markup (`templates/traces`).
"""
