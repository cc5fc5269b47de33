"""Five functions of a household, and how people ask for them: what a small model can learn.

python examples/household.py
"""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from schemask import tool
from schemask.synth import Phrasebook, generate

Room = Literal["kitchen", "bedroom", "living room", "bathroom", "office"]
Bed = Literal["herbs", "roses", "tomatoes", "lawn"]
Category = Literal["food", "rent", "travel", "fun", "health"]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@tool
def set_thermostat(room: Room, celsius: Annotated[int, Field(ge=5, le=30)]) -> dict[str, str | int]:
    """Set the temperature of a room.

    Args:
        room: The room.
        celsius: Degrees.
    """
    return {"room": room, "celsius": celsius, "status": "heating"}


@tool
def water_garden(bed: Bed, minutes: Annotated[int, Field(ge=1, le=60)]) -> dict[str, str | int]:
    """Water a part of the garden.

    Args:
        bed: What grows there.
        minutes: For how long.
    """
    return {"bed": bed, "litres": 12 * minutes}


@tool
def add_to_list(
    item: str, quantity: Annotated[int, Field(ge=1, le=99)] = 1
) -> dict[str, str | int]:
    """Add something to the shopping list.

    Args:
        item: What to buy.
        quantity: How many.
    """
    return {"added": item, "quantity": quantity}


@tool
def find_train(origin: str, destination: str, day: Day) -> dict[str, str]:
    """Find the first train between two cities.

    Args:
        origin: City to start from.
        destination: City to go to.
        day: Day of the week.
    """
    return {"train": f"IC {100 + len(origin) * len(destination)}", "day": day, "leaves": "09:14"}


@tool
def log_expense(
    amount: Annotated[float, Field(gt=0)], category: Category
) -> dict[str, str | float]:
    """Write down what was spent.

    Args:
        amount: Euros.
        category: What for.
    """
    return {"category": category, "amount": amount}


# fmt: off
CITIES = [
    "Vienna", "Graz", "Linz", "Salzburg", "Innsbruck", "Munich", "Berlin", "Hamburg", "Cologne",
    "Leipzig", "Prague", "Brno", "Zurich", "Basel", "Bern", "Geneva", "Paris", "Lyon", "Lille",
    "Milan", "Rome", "Turin", "Venice", "Bologna", "Madrid", "Porto", "Lisbon", "Ghent",
    "Warsaw", "Krakow", "Budapest", "Zagreb", "Trieste", "Oslo", "Bergen", "Malmo", "Aarhus",
    "Utrecht", "Antwerp", "Rotterdam",
]
GOODS = [
    "apples", "oat milk", "rye bread", "batteries", "light bulbs", "olive oil", "carrots",
    "dish soap", "rice", "tea", "coffee beans", "candles", "cat food", "lemons", "napkins",
    "tomatoes", "flour", "yoghurt", "toothpaste", "red onions", "spinach", "garlic", "stamps",
    "pencils", "cheddar", "walnuts", "honey", "noodles", "potatoes", "eggs", "butter",
    "sponges", "chickpeas", "basil", "ginger", "bananas", "shampoo", "mustard", "lentils",
    "sunflower seeds",
]
# fmt: on

PHRASES = Phrasebook(
    requests={
        "set_thermostat": [
            "Set the {room} to {celsius} degrees.",
            "Please heat the {room} to {celsius} °C.",
            "Make the {room} {celsius} degrees warm.",
            "I want {celsius} degrees in the {room}.",
            "turn the {room} thermostat to {celsius}",
            "Could you put the {room} at {celsius} degrees Celsius?",
            "It should be {celsius} degrees in the {room}, please.",
            "Bring the {room} to {celsius} °C",
            "The {room} is too cold, set it to {celsius} degrees.",
            "Change the temperature of the {room} to {celsius}.",
            "We have guests, so {celsius} degrees in the {room} please.",
            "Lower the {room} to {celsius} degrees for the night.",
            "can you get the {room} to {celsius} degrees before I am home",
            "thermostat {room}: {celsius}",
            "Heat up the {room}.",
            "It is too cold in the {room}, change that.",
            "Could you adjust the thermostat in the {room}?",
            "Warm up the {room} a bit, would you?",
            "Please turn the {room} thermostat down.",
            "the {room} is far too hot",
            "Set the temperature to {celsius} degrees.",
            "I would like it to be {celsius} °C.",
            "thermostat to {celsius} please",
            "Make it {celsius} degrees in there.",
            "Could you heat to {celsius} °C?",
            "{celsius} degrees would be nice, turn the heating on.",
        ],
        "water_garden": [
            "Water the {bed} for {minutes} minutes.",
            "Please give the {bed} water for {minutes} minutes.",
            "The {bed} need {minutes} minutes of water.",
            "turn on the sprinkler for the {bed}, {minutes} minutes",
            "Could you water the {bed} for {minutes} min?",
            "It is dry. Water the {bed} {minutes} minutes long.",
            "Run the water on the {bed} for {minutes} minutes please",
            "{minutes} minutes of water for the {bed}, please.",
            "Let the {bed} have water for {minutes} minutes.",
            "Start watering the {bed} and stop after {minutes} minutes.",
            "I would like the {bed} watered for {minutes} minutes.",
            "can you sprinkle the {bed} for {minutes} minutes",
            "the {bed} look thirsty, {minutes} minutes should do",
            "Irrigate the {bed} for {minutes} minutes.",
            "Water the {bed}, please.",
            "The {bed} could do with some water.",
            "turn the sprinkler for the {bed} on",
            "Give the {bed} a drink.",
            "Do not forget to water the {bed}.",
            "Could you get some water onto the {bed}?",
            "Water the garden for {minutes} minutes.",
            "Run the sprinkler for {minutes} minutes.",
            "I want {minutes} minutes of water out there.",
            "Could you water for {minutes} minutes?",
            "Turn the water on outside, {minutes} minutes long.",
            "{minutes} minutes of sprinkling, please",
        ],
        "add_to_list": [
            "Add {quantity} {item} to the shopping list.",
            "Put {quantity} {item} on the list.",
            "We need {quantity} {item}.",
            "please write down {quantity} {item} to buy",
            "I have to buy {quantity} {item}, add it to the list.",
            "Shopping list: {quantity} {item}",
            "Could you add {quantity} {item} to my shopping list?",
            "Remember to buy {quantity} {item}.",
            "get {quantity} {item} next time, put it on the list",
            "Add {item} to the shopping list.",
            "Put {item} on the list, please.",
            "We are out of {item}, put it on the list.",
            "{item} is missing at home, please add it.",
            "Could you note {item} for the next shopping?",
            "{quantity} {item} should go on the shopping list.",
            "I need to buy {item}.",
            "Add something to the shopping list.",
            "Put one more thing on the list.",
            "I have to buy something, write it down.",
            "There is one thing missing on the shopping list, add it.",
            "Could you put something on my list?",
            "write {quantity} of them on the shopping list",
            "We need {quantity} more, add them to the list.",
        ],
        "find_train": [
            "Find a train from {origin} to {destination} on {day}.",
            "I want to go from {origin} to {destination} by train on {day}.",
            "When is the first train from {origin} to {destination} on {day}?",
            "train {origin} to {destination}, {day}",
            "On {day} I travel from {origin} to {destination}. Which train can I take?",
            "Is there a train to {destination} from {origin} on {day}?",
            "Look up the train to {destination} on {day}, I start in {origin}.",
            "Please search trains for {day}: {origin} to {destination}.",
            "I need to be in {destination} on {day}, leaving from {origin} by train.",
            "Which train goes from {origin} to {destination} on {day}?",
            "My mother goes from {origin} to {destination} by train on {day}, when is it?",
            "Get me from {origin} to {destination} on {day}, by rail.",
            "{day} morning I leave {origin} for {destination}, find me a train",
            "What is the first connection from {origin} to {destination} on {day}?",
            "Find a train from {origin} to {destination}.",
            "How do I get from {origin} to {destination} by train?",
            "I need a train from {origin} to {destination}.",
            "When does the train from {origin} to {destination} leave?",
            "Look up how I reach {destination} from {origin} by rail.",
            "first train {origin} - {destination}?",
            "Find a train to {destination} on {day}.",
            "On {day} I have to be in {destination}, which train can I take?",
            "train to {destination}, {day}",
            "How can I be in {destination} on {day} by train?",
            "Search me a train that goes to {destination}, {day} morning.",
            "I am going to {destination} on {day}. When is my train?",
            "Find a train from {origin} on {day}.",
            "I leave {origin} by train on {day}, when does it go?",
            "{day}: first train out of {origin}?",
            "Which train can I take from {origin} on {day}?",
            "I want to get out of {origin} on {day}, find a train.",
            "departing {origin}, {day}, by train please",
        ],
        "log_expense": [
            "I spent {amount} euros on {category}.",
            "Log {amount} euros for {category}.",
            "Write down {amount} euros, category {category}.",
            "Please note an expense of {amount} euros for {category}.",
            "{amount} euros went to {category} today.",
            "I paid {amount} for {category}, log it.",
            "add an expense: {amount} euros, {category}",
            "Could you record {amount} euros of {category}?",
            "Book {amount} euros under {category}.",
            "That was {amount} euros for {category}, keep track of it.",
            "expense {category} {amount}",
            "Today's {category} cost me {amount} euros, write it down.",
            "Put {amount} euros of {category} into my expenses.",
            "Track {amount} € for {category}.",
            "Log {amount} euros.",
            "Write down that I spent {amount} euros.",
            "{amount} euros are gone, note it",
            "Please add {amount} euros to my expenses.",
            "I just paid {amount} euros, keep a record.",
            "expense of {amount}, note it down",
            "I spent money on {category}, log it.",
            "Note an expense for {category}.",
            "I paid for {category}, write it down please.",
            "There was another expense for {category}, add it.",
            "Could you log what I paid for {category}?",
            "new expense: {category}",
        ],
    },
    values={
        "find_train": {"origin": CITIES, "destination": CITIES},
        "add_to_list": {"item": GOODS, "quantity": range(2, 13)},
        "log_expense": {
            "amount": [3.5, 4, 7.2, 9.99, 12, 15.5, 18, 20, 24.9, 31, 45, 60, 88.4, 120]
        },
    },
    questions={
        "celsius": ["How many degrees?", "Which temperature?"],
        "room": ["Which room?", "In which room?"],
        "minutes": ["For how many minutes?", "How long?"],
        "bed": ["Which bed: herbs, roses, tomatoes or lawn?"],
        "day": ["On which day?"],
        "origin": ["Where do you start?", "From which city?"],
        "destination": ["Where do you want to go?", "To which city?"],
        "item": ["What should I add?"],
        "amount": ["How much was it?"],
        "category": ["For what: food, rent, travel, fun or health?"],
    },
    answers={
        "set_thermostat": ["The {room} will have {celsius} degrees.", "Done, {celsius} degrees."],
        "water_garden": ["The {bed} get water for {minutes} minutes.", "Watering the {bed}."],
        "add_to_list": ["{item} is on the list.", "Added {item}."],
        "find_train": ["Here is the first train from {origin} to {destination} on {day}."],
        "log_expense": ["Noted: {amount} euros for {category}."],
    },
)

TOOLS = (set_thermostat, water_garden, add_to_list, find_train, log_expense)
# A phrasebook tells no stories in which a later call needs an earlier result.
SHARES = {
    "call": 0.5,
    "parallel": 0.05,
    "chain": 0,
    "missing_tool": 0.15,
    "missing_value": 0.15,
    "words": 0.15,
}


def main() -> None:
    """Writes a few conversations, and shows them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        generate(PHRASES, TOOLS, 6, path, shares=SHARES, progress=False)
        for line in path.read_text(encoding="utf-8").splitlines():
            for message in json.loads(line)["messages"]:
                said = message["content"] or message["tool_calls"][0]["function"]
                print(f"{message['role']:>9}: {said}")
            print()


if __name__ == "__main__":
    main()
