"""The words of LaTeX that only set type, and those that are suggested for a misspelt one."""

from __future__ import annotations

from symgrad.parse.letters import words

LAYOUT = words(
    "align align* aligned alignat alignat* alignedat equation equation* gather gather* gathered "
    "eqnarray eqnarray* multline multline* split flalign flalign* displaymath math dcases "
    "subequations"
)
PROSE = words("document center itemize enumerate figure quote abstract item table")
SPACES = words(
    "nonumber notag displaystyle textstyle scriptstyle limits nolimits hfill noindent hline "
    "centering allowbreak nobreak relax left right middle newline par medskip smallskip bigskip "
    "thinspace negthinspace enspace enskip thickspace medspace"
)
WITH_ARGUMENT = words(
    "label tag tag* hspace hspace* vspace vspace* phantom hphantom vphantom mspace ref eqref "
    "intertext cite color footnote"
)
SUGGESTED = sorted(
    words(
        "sigma tanh exp log max min sqrt frac odot circ otimes cdot times mathbf mathrm mathbb "
        "boldsymbol operatorname text top tilde hat bar alpha beta gamma delta epsilon theta "
        "lambda mu rho tau phi varphi psi omega Gamma begin end left right in softmax sum prod "
        "langle rangle dot quad label sinh cosh ln leftarrow varepsilon eta kappa zeta xi nu pi chi"
    )
)
#: Functions with a macro of their own.
MACROS = words("tanh exp log ln max min sqrt")
