"""For notebooks: data units as columns, and readable forms of data, declarations and runs.

``%load_ext beat.backend.python`` has the latter shown. `columns` and `variables` need no notebook,
and neither pandas nor xarray.
"""

from .cards import show_cards as show_cards
from .columns import columns as columns
from .columns import variables as variables
