"""The guided demo: an order system whose engine is killed again and again, judged by someone else's books.

Three processes, as in life:

- ``service``: the payment, stock, printing and shipping service. Slow, flaky, and keeps its own ledger. It knows
  nothing of Perdure.
- ``engine``: Perdure with a few hundred order sagas in one SQLite file. It is killed with SIGKILL, and started again.
- ``main``: starts both, does the killing, shows the progress, and in the end asks ``judge`` whether the ledger says
  what was promised.

The judge reads the ledger and nothing else, so what it finds holds whatever the engine believes of itself.
"""
