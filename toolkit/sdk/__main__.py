"""`python -m toolkit.sdk`: a function's process."""

import os
import sys

# The C core tells failures that reach us as exceptions anyway; its log is no line of ours.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from toolkit.sdk.process import end_at_signals, main

end_at_signals()
sys.exit(main())
