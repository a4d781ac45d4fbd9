"""Reports."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.sdk.current": "Deck TimeLineDeck=TimelineDeck",
        "alula.sdk.deck": "DeckField DECK_FILE_NAME",
        "alula.sdk.renderers": "MarkdownRenderer SourceCodeRenderer TopFrameRenderer ArrowRenderer=TableRenderer",
    },
)
