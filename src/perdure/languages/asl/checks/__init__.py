"""Is this text a state machine? Every rule that AWS applies when a machine is made, with AWS's codes, words and places.

`fields` is the table: which state type has which fields, and what each takes. `machines` walks from the outside in,
`states` judges one state, `kinds` one value, `choices` rules, `resources` what a Task may name. Besides AWS's words,
a diagnostic tells the line and column, the JSON path, what was expected, and the nearest name that would have been
right.

Sources: the States Language's specification; Amazon's pages on each state; answers recorded from AWS; and what users
report of AWS's refusals in public (the API's own documentation lists no messages).
"""

from perdure.languages.asl.checks.checking import check, check_state, refusal
from perdure.languages.asl.checks.diagnostics import Diagnostic

__all__ = ["Diagnostic", "check", "check_state", "refusal"]
