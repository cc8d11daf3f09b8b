"""Cut the mathematics font of the HTML pages out of STIX Two Math.

    python tools/subset_font.py STIXTwoMath-Regular.ttf

writes ``symgrad/render/data/stix-two-math-subset.woff2`` and nothing else. The font is
published by the STIX Fonts Project under the SIL Open Font License 1.1; its TrueType
file also comes inside the wheel of ``ziamath``. Needs ``fonttools`` and ``brotli``,
which symgrad itself does not: at run time only the stored file is read. The same font
and the same versions of the tools give the same bytes.

Kept: letters and digits, Greek, the italic and bold mathematical letters, operators,
arrows and delimiters, with the MATH table and every larger size or piece of a glyph
that a browser needs to stretch it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

TARGET = Path(__file__).parent.parent / "symgrad" / "render" / "data" / "stix-two-math-subset.woff2"

RANGES = (
    (0x20, 0x7E),  # Basic Latin
    (0x391, 0x3A9),  # Greek capitals
    (0x3B1, 0x3C9),  # Greek letters
    (0x1D434, 0x1D467),  # italic Latin letters (h is U+210E)
    (0x1D468, 0x1D49B),  # bold italic Latin letters
    (0x1D6E2, 0x1D71B),  # italic Greek letters, and the italic ∂
    (0x1D71C, 0x1D755),  # bold italic Greek letters
)
SINGLE = (
    "ℎℓℝ ϑϕϖϱϵ 𝟏"  # letters outside the ranges, and the column of ones
    "¬±·×÷ ⊙⊗⊕∘∗⋅ ∑∏∫ ∂∇√∞ −∓∖ ⊤⊥ ∀∃∅∎✓"  # operators
    "=≠≈≡∼≃≔<>≤≥≪≫∈∉∋⊂⊆∪∩⊢"  # relations
    "…⋯⋮⋱ ∣∥‖|⟨⟩⌈⌉⌊⌋()[]{}⟦⟧"  # dots and delimiters
    "←→↑↓↔↦⇐⇒⇔⟵⟶⟸⟹"  # arrows
    "′″‴⁗⁺⁻ˆ¯˜˙⏞⏟"  # primes, accents, braces
    "\u0302\u0303\u0304\u0307 \u00a0\u2009\u202f\u2061\u2062\u2063\u2064"
)
# ssty: the shapes of letters in scripts and of primes. Nothing else is ever switched on.
FEATURES = ["ssty", "ccmp", "mark", "mkmk", "kern", "dtls", "flac"]


def main(source: str) -> None:
    font = TTFont(source, recalcTimestamp=False)
    wanted = {code for first, last in RANGES for code in range(first, last + 1)}
    wanted |= {ord(character) for character in SINGLE}
    options = subset.Options()
    options.layout_features = FEATURES
    options.hinting = False
    options.name_IDs = ["*"]  # the copyright and the licence stay in the font
    options.drop_tables += ["DSIG"]
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    font.flavor = "woff2"
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    font.save(TARGET, reorderTables=False)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
