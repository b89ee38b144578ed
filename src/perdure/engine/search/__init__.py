"""Search: the filter language, and what it means.

``parse`` turns a text into a ``model.search.Query`` whose every name and value has been checked; ``evaluate`` says in
plain Python which runs such a query has, in which order. A store that has an index answers from that, and must give the
same; ``attributes`` keeps the types that values have.
"""
