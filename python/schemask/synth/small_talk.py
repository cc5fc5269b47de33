"""What people say before and beside their requests, and how an assistant answers; and what it says
if it has no tool for a request. A phrasebook writes of these unless it is given others.
"""

from __future__ import annotations

SMALL_TALK: tuple[tuple[str, str], ...] = (
    ("Hello!", "Hello! What can I do for you?"),
    ("Good morning", "Good morning! How can I help?"),
    ("Thank you!", "You are welcome."),
    ("Thanks, that was quick.", "Glad to hear it."),
    ("How are you today?", "I am well, thank you. What can I do for you?"),
    ("Who are you?", "I am an assistant that can use tools for you."),
    ("What can you do?", "I can talk with you, and use the tools that I am given."),
    ("Tell me a joke.", "Why did the scarecrow win a prize? He was outstanding in his field."),
    ("Why is the sky blue?", "Air scatters the blue part of sunlight more than the red part."),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How many legs does a spider have?", "A spider has eight legs."),
    ("Who wrote Hamlet?", "William Shakespeare wrote Hamlet."),
    ("What is 7 times 8?", "7 times 8 is 56."),
    ("Is a tomato a fruit?", "Botanically, yes: a tomato is a berry."),
    ("What does 'serendipity' mean?", "Finding something good without looking for it."),
    ("Do fish sleep?", "Yes, most fish rest, though with open eyes."),
    ("I am bored.", "Would you like a riddle, or a fact?"),
    ("Never mind.", "All right. Tell me when you need something."),
    ("See you tomorrow!", "See you tomorrow!"),
    ("My dog is called Bruno.", "Bruno is a fine name for a dog."),
    ("I had a long day at work.", "I hope the evening is quieter."),
    ("What is the opposite of cold?", "The opposite of cold is hot."),
    ("Which planet is the largest?", "Jupiter is the largest planet of our solar system."),
    ("How do you spell 'rhythm'?", "R, h, y, t, h, m."),
    ("Say something nice.", "You ask good questions."),
    ("What is water made of?", "Water is made of hydrogen and oxygen."),
    ("Are you a human?", "No, I am a program."),
    ("Can you keep a secret?", "I forget our talk when it ends, so in a way I can."),
    ("Why do cats purr?", "Mostly because they are content, and sometimes to calm themselves."),
    ("What is a haiku?", "A short poem of three lines, with five, seven and five syllables."),
    ("Is zero an even number?", "Yes, zero is even."),
    ("How long is a marathon?", "A marathon is 42.195 kilometres long."),
    ("What colour are bananas?", "Ripe bananas are yellow."),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci painted the Mona Lisa."),
    ("Good night", "Good night! Sleep well."),
    ("That is wrong.", "I am sorry. What should it be?"),
    ("Do you like music?", "I cannot hear it, but I like to talk about it."),
    ("When did the Second World War end?", "It ended in 1945."),
    ("What is the square root of 81?", "The square root of 81 is 9."),
    ("Give me some advice.", "Write down what worries you; it gets smaller on paper."),
)

NO_TOOL: tuple[str, ...] = (
    "I have no tool for that.",
    "None of my tools can do that.",
    "I am sorry, I cannot do that with the tools I have.",
    "That is beyond the tools that I am given.",
)

# A greeting, and what leads to the request. None asks for an answer of its own.
OPENERS: tuple[tuple[str, ...], ...] = (
    (
        "Hi!",
        "Hey!",
        "Hi there!",
        "Hello there!",
        "Hey you!",
        "Hello again!",
        "Me again.",
        "Excuse me.",
        "Dear assistant,",
        "Listen.",
    ),
    (
        "By the way:",
        "One more thing:",
        "Something else:",
        "Before I forget:",
        "Sorry to bother you, but:",
        "Okay, next:",
        "Right, so:",
        "Well:",
        "Now then:",
        "I nearly forgot:",
    ),
)

PLAIN: tuple[str, ...] = (
    "{task} {values}",
    "Please do this: {task} {values}",
    "I would like this: {task} {values}",
    "{task} {values} Thank you.",
)
