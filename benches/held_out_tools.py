"""Tools that no model was trained on, and how people ask for them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemask import tool
from schemask.synth import Phrasebook

Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
Carrier = Literal["DHL", "UPS", "FedEx", "Hermes"]


@tool
def lend_book(title: str, friend: str, weeks: Annotated[int, Field(ge=1, le=12)]) -> str:
    """Note that a book is lent to a friend.

    Args:
        title: The book.
        friend: Who has it.
        weeks: For how long.
    """
    return "noted"


@tool
def track_parcel(number: str, carrier: Carrier) -> str:
    """Find out where a parcel is.

    Args:
        number: The number of the parcel.
        carrier: Who brings it.
    """
    return "on its way"


@tool
def play_radio(station: str, volume: Annotated[int, Field(ge=0, le=10)] = 5) -> str:
    """Play a radio station.

    Args:
        station: Name of the station.
        volume: How loud.
    """
    return "playing"


@tool
def book_court(sport: Literal["tennis", "squash", "badminton"], day: Day, hour: int) -> str:
    """Book a court to play on.

    Args:
        sport: The sport.
        day: Day of the week.
        hour: Hour of the day.
    """
    return "booked"


TOOLS = (lend_book, track_parcel, play_radio, book_court)
PHRASES = Phrasebook(
    requests={
        "lend_book": [
            "I lent {title} to {friend} for {weeks} weeks.",
            "{friend} borrows {title} for {weeks} weeks, write it down.",
            "Note that {title} is with {friend} for {weeks} weeks.",
            "{friend} has my copy of {title}, {weeks} weeks at most",
            "I lent {title} to {friend}.",
        ],
        "track_parcel": [
            "Where is my {carrier} parcel {number}?",
            "Track {number}, it comes with {carrier}.",
            "{carrier} should bring parcel {number}, where is it?",
            "parcel {number} {carrier}",
            "Where is my parcel {number}?",
        ],
        "play_radio": [
            "Play {station}.",
            "Turn on {station} at volume {volume}.",
            "I want to hear {station}, volume {volume} please",
            "put on {station}",
            "Play something on the radio.",
        ],
        "book_court": [
            "Book a {sport} court on {day} at {hour}.",
            "We want to play {sport} on {day} at {hour} o'clock.",
            "I need a court for {sport}, {day}, {hour}:00",
            "{day} {hour} o'clock {sport}, please book it",
            "Book a {sport} court on {day}.",
        ],
    },
    values={
        "lend_book": {
            "title": ["Dune", "Emma", "Ulysses", "Momo", "Dracula", "Persuasion", "Walden"],
            "friend": ["Ada", "Jonas", "Mira", "Tom", "Lea", "Viktor"],
        },
        "track_parcel": {"number": ["AB1234", "77812", "ZX-90", "40031", "KL552", "H7H7"]},
        "play_radio": {"station": ["Jazz FM", "Radio Nova", "Classic 24", "Rock One", "Ö1"]},
        "book_court": {"hour": range(8, 22)},
    },
)
