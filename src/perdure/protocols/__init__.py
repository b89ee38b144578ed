"""How others reach an engine. Each protocol translates in and out, and decides nothing."""
