"""Importing this module lets every value show itself: it fills the registry of displays."""

import symgrad.render.displays
import symgrad.render.form_displays  # noqa: F401 (imported for what it registers)
