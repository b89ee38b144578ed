"""How each record changes a run: one module a story, as in ``model.events``, and a table in each. ``kernel.apply`` joins them."""
