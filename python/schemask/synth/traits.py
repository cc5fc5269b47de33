"""What makes requests differ: who asks, how, and what makes it hard or easy."""

PERSONAS = (
    "a student",
    "a busy parent",
    "an engineer",
    "a shop owner",
    "a nurse on a night shift",
    "a retired teacher",
    "a journalist",
    "a traveller",
    "an accountant",
    "a curious child",
    "a small farmer",
    "someone new to computers",
)
STYLES = (
    "asks politely",
    "is in a hurry and writes a few words",
    "tells a little story before the question",
    "writes in lower case without punctuation",
    "asks a direct question",
    "gives an order",
    "thinks aloud",
    "asks for a friend",
)
DIFFICULTIES = (
    "every argument is said plainly",
    "an argument has to be worked out from the words",
    "the request holds a detail that does not matter",
    "an argument is spelt in an unusual way",
    "optional arguments matter",
    "the request comes last, after some context",
)
