"""The parts of the page. Each module measures one and tells what it found: `measure(bench) -> Section`."""
