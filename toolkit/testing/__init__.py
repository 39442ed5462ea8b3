"""What tests need, shipped: small honest stand-ins and faults, for this project and for those who write chains.

May live here: an engine in one process, faults that stand between two functions, builders of evidence. Nothing here
is imported by the toolkit itself.
"""
