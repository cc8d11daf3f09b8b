"""Derivations: trees of statements with verdicts, each able to recompute its own evidence."""

from symgrad.derivation.forms_table import forms_table as forms_table
from symgrad.derivation.model import Derivation as Derivation
from symgrad.derivation.model import Step as Step
from symgrad.derivation.verdicts import verdict_of as verdict_of
from symgrad.derivation.writer import Writer as Writer
