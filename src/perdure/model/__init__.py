"""The nouns: frozen data that every layer speaks. Imports nothing of ours."""
