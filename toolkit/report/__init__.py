"""A report as text, JSON or JUnit; a chain as a graph; a trace as a waterfall. One module a form, all of them pure.

May live here: functions from data to text, and the one way back (`reading`). May not: files, terminals, statistics.
"""
