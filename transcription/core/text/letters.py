"""Letters by what they are called, for what is spelt out."""

NAMES = {
    name: letter
    for letter, names in zip(
        "abcdefghijklmnopqrstuvwxyz",
        "a á|b bê|c cê|d dê|e é|f efe éfe|g gê|h agá|i|j jota|k cá ká|l ele éle|m eme ême|n ene êne|o ó|p pê|q quê"
        "|r erre érre|s esse ésse|t tê|u|v vê|w dáblio dábliu|x xis|y ípsilon|z zê".split("|"),
        strict=True,
    )
    for name in names.split()
}
WORDS_TOO = frozenset({"é", "ele", "esse", "quê", "cá", "á", "ó"})
"""Names that mean something else more often."""
