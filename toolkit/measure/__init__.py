"""Numbers from calls, receipts and spans. Pure.

May live here: statistics, and the generator's audit of itself. May not: judging the chain (`checks`) or printing.
The rules are told in docs/measurement.md.
"""

from toolkit.measure.audit import notes
from toolkit.measure.complete import completions
from toolkit.measure.measurement import measure
from toolkit.measure.quantiles import quantiles
from toolkit.measure.telling import told

__all__ = ["completions", "measure", "notes", "quantiles", "told"]
