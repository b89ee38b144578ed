"""Amazon States Language: state machines as AWS Step Functions runs them.

``program`` is a run's interpreter between turns: what has happened goes in, commands come out, and what changed is saved
with the turn. ``lines`` says what there is to save. ``states`` holds one small module for each type of state, and
``history`` reads AWS's own events out of the turns' states.
"""
