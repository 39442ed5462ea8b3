"""A report as one HTML page that needs nothing else: no network, no font, no library, and no script to be read.

May live here: what the page says (`view`), its drawings as SVG (`scales`, `drawing`, `charts`), and `page`, which puts
both into the template it is given. May not: files (`toolkit.pages` reads the template), statistics.
"""
