"""`make bench`: measures Perdure, and its peers in the same run, and writes docs/benchmarks.md.

    __main__       what was asked for; runs the sections, shows and writes what they found
    sections/      one module per part of the page: what is measured, with what load, and how it is told
    perdure_child/ what runs in the measured processes, each with a fresh engine over a fresh file
    peers/         the engines Perdure is measured against, behind one interface
    page           the page, from nothing but what the sections found

A section owns its measurement from the load to the sentence; the page and the terminal know only `results`.
"""
