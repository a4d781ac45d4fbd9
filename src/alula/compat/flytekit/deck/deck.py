"""Reports, at the path where flytekit defines them."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__,
    {"alula.sdk.current": "Deck TimeLineDeck=TimelineDeck", "alula.sdk.deck": "DeckField DECK_FILE_NAME"},
)
