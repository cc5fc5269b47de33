# %% [markdown]
# # From functions to a model that calls them, step by step
#
# `schemask improve examples/household.py` does all of this by one command. Here each step is a cell
# of its own, to be looked into and changed. Open this file as a notebook, in VS Code or by way of
# jupytext, or run it:
#
#     pip install '.[demo,eval,synth,train]'
#     python examples/from_functions_to_model.py
#
# A cell that is run again goes on with the files that are there. They are not taken for the work of
# other settings: after a change, take another folder, or delete the files from that step on.

# %%
import argparse
import itertools
import json
import sys
from pathlib import Path

import household

from schemask.agent import run_agent
from schemask.demo import model_path
from schemask.evaluation import evaluate, read_examples, report, summarize, table
from schemask.lint import lint
from schemask.models import Sampling, open_model
from schemask.models.tokenizers import load_tokenizer
from schemask.synth import (
    Augment,
    Decontaminate,
    Deduplicate,
    Execute,
    Ground,
    Withheld,
    everyday,
    generate,
    run_stage,
)
from schemask.training import TrainingOptions, dataset, train
from schemask.training.gguf_file import write_gguf
from schemask.training.weights import load_weights

flags = argparse.ArgumentParser(description="From functions to a model that calls them.")
flags.add_argument("--model", type=Path, help="a GGUF or a folder (SmolLM2-135M-Instruct)")
flags.add_argument("--count", type=int, default=300, help="conversations (%(default)s)")
flags.add_argument("--held-out", type=int, default=12, help="to be asked (%(default)s)")
flags.add_argument("--steps", type=int, default=60, help="of training (%(default)s)")
flags.add_argument("--tokens", type=int, default=128, help="most of an answer (%(default)s)")
flags.add_argument("--out", type=Path, default=Path("improved-by-steps"), help="(%(default)s)")
# In a notebook, the arguments are those of its kernel.
IS_NOTEBOOK = "ipykernel" in sys.modules
scale = flags.parse_args([] if IS_NOTEBOOK else None)

OUT = scale.out
OUT.mkdir(parents=True, exist_ok=True)
GIVEN = scale.model or model_path()
SEED = 0
SAMPLING = Sampling(max_tokens=scale.tokens)
PROGRESS = IS_NOTEBOOK or sys.stderr.isatty()


def lines(path):
    """The lines of a file, as objects."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# %% [markdown]
# ## The functions, and how people ask for them
#
# The model reads a function as its definition: name, description and types, of which a grammar is
# made, too. A phrasebook has requests with places for values. It stands in for a large model, which
# would write them more freely: any `teacher` of `generate` may take its place.

# %%
print(json.dumps(household.set_thermostat.definition, indent=1))
print(*household.PHRASES.requests["set_thermostat"][:3], sep="\n")

# %% [markdown]
# ## Phrases that only the evaluation sees
#
# Otherwise the evaluation would only show that the model knows these phrases by heart.

# %%
trained_phrases, held_out_phrases = household.PHRASES.divided(0.25, SEED)
print(*held_out_phrases.requests["set_thermostat"], sep="\n")

# %% [markdown]
# ## Conversations
#
# Half of them teach when not to call: no tool is for the request, a value is missing, or nothing is
# asked for. A phrasebook tells no chains, in which a later call needs an earlier result.

# %%
SHARES = {
    "call": 0.45,
    "parallel": 0.05,
    "chain": 0.0,
    "missing_tool": 0.2,
    "missing_value": 0.15,
    "words": 0.15,
}
drafts, held_out = OUT / "drafts.jsonl", OUT / "held-out.jsonl"
for phrases, count, path, seed in (
    (trained_phrases, scale.count, drafts, SEED),
    (held_out_phrases, scale.held_out, held_out, SEED + 1),
):
    done = generate(
        phrases, household.TOOLS, count, path, seed=seed, shares=SHARES, progress=PROGRESS
    )
    print(path.name, dict(done.kinds))

# %% [markdown]
# Look at one. Its result is empty, for the phrasebook does not know what the function returns.


# %%
def show(line):
    """A conversation, a line for each message."""
    for message in line["messages"]:
        calls = [call["function"] for call in message.get("tool_calls", ())]
        print(f"{message['role']:>9}: {calls or message['content']}")


def calls_something(line):
    """Whether there is a result of a tool."""
    return any(message["role"] == "tool" for message in line["messages"])


show(next(filter(calls_something, lines(drafts))))

# %% [markdown]
# ## Real results
#
# The functions carry out the calls, in a process of their own. What raises an error is refused.

# %%
executed = OUT / "executed.jsonl"
print(run_stage(Execute(household.__file__), drafts, executed, progress=PROGRESS))
show(next(filter(calls_something, lines(executed))))

# %% [markdown]
# ## Values that nobody said
#
# A call with a value that is neither in the request nor in a result teaches a model to invent some.
# A phrasebook never does that, but other teachers do.

# %%
grounded = OUT / "grounded.jsonl"
print(run_stage(Ground(), executed, grounded, progress=PROGRESS))

# %% [markdown]
# ## Conversations about other tools
#
# Of five functions alone, a small model learns to write their calls to whatever is asked. Among as
# many conversations about everyday tools it learns to read what is offered, most of all where names
# say nothing.

# %%
tools, phrases = everyday(besides=[function.name for function in household.TOOLS])
others, masked, both = OUT / "others.jsonl", OUT / "masked.jsonl", OUT / "both.jsonl"
generate(
    phrases,
    tools,
    scale.count,
    others,
    seed=SEED + 2,
    shares=SHARES,
    most_tools=2,
    progress=PROGRESS,
)
print(run_stage(Augment(mask=0.3), others, masked, progress=PROGRESS))
both.write_bytes(grounded.read_bytes() + masked.read_bytes())
show(lines(masked)[0])

# %% [markdown]
# ## Duplicates
#
# Of requests that are nearly the same, one is enough. Those of a phrasebook often differ in a value
# alone, and it is this that the model has to learn to read: so they may stay if their calls differ.

# %%
deduplicated = OUT / "deduplicated.jsonl"
print(run_stage(Deduplicate(same_calls=True), both, deduplicated, progress=PROGRESS))

# %% [markdown]
# ## Nothing of the evaluation
#
# A request that will be asked must not be trained, or nearly so.

# %%
data = OUT / "train.jsonl"
stage = Decontaminate(Withheld.of(held_out))
print(run_stage(stage, deduplicated, data, progress=PROGRESS))

# %% [markdown]
# ## A ledger
#
# Beside each file lies a ledger: first the stage with its settings, then what became of each line,
# and why it was refused. By it, a run that was killed goes on.

# %%
head, *entries = lines(deduplicated.with_name(f"{deduplicated.name}.ledger.jsonl"))
refused = [entry for entry in entries if "refused" in entry]
for entry in (head, entries[0], *refused[:3]):
    print(entry)

# %% [markdown]
# ## What would be learned wrongly
#
# The linter encodes the lines as they are trained. An error is what no model should learn. A line
# that is too long would be one, but the training leaves it out.

# %%
options = TrainingOptions(steps=scale.steps, drop_long=True, seed=SEED)
tokenizer = load_tokenizer(GIVEN)
found = lint(data, tokenizer, against=[held_out], progress=PROGRESS)
print(found.as_text())
assert not found.errors, "this must not be trained on"

# %% [markdown]
# ## Exactly which tokens are trained
#
# Those that the model has to write, and the end of its turn; not the definitions of the tools, not
# the request, not the result. Where a label is -100, the loss does not look.

# %%
(row,) = dataset([next(filter(calls_something, lines(data)))], tokenizer)
labelled = zip(row["input_ids"], row["labels"], strict=True)
for is_trained, tokens in itertools.groupby(labelled, key=lambda pair: pair[1] != -100):
    ids = [token_id for token_id, _ in tokens]
    if is_trained:
        print("trained:", *(repr(tokenizer.decode([token_id])) for token_id in ids))
    else:
        print(f"read only, {len(ids)} tokens: ...{tokenizer.decode(ids)[-60:]!r}")

# %% [markdown]
# ## Ask before
#
# With and without a grammar: under one, a call is always valid, though it may be the wrong one. The
# model that was given is written as the trained one will be, so that nothing else differs.

# %%
questions = read_examples(held_out, category="held-out")


def ask(path, name):
    """What the model of a file answers, in both modes."""
    return evaluate(
        open_model(path),
        questions,
        OUT / f"{name}.jsonl",
        modes=("unconstrained", "constrained"),
        sampling=SAMPLING,
        name=name,
        progress=PROGRESS,
    )


write_gguf(load_weights(GIVEN, tokenizer), OUT / "before.gguf", options.gguf)
before = ask(OUT / "before.gguf", "before")
for record in before.records[:3]:
    print(f"{record.setting}, {record.outcome}: {record.request!r} -> {record.text!r}")

# %% [markdown]
# ## Train
#
# By TRL, all weights but the embeddings. The loss is the mean over trained tokens.

# %%
trained = train(data, GIVEN, OUT / "model", options=options, progress=PROGRESS)
print(f"{trained.rows} rows, {trained.trained_tokens} of {trained.tokens} tokens trained")
print(f"loss from {trained.first_loss:.2f} to {trained.last_loss:.2f} in {trained.seconds:.0f} s")

# %% [markdown]
# ## Ask after, and compare
#
# Look at the rows of calls first: where no call is right, a model that only talks is right, too.

# %%
after = ask(trained.gguf, "after")
for evaluation in (before, after):
    print(evaluation.name, table(summarize(evaluation.records)), sep="\n", end="\n\n")

# %% [markdown]
# ## The report
#
# A page for a browser: rates, plots, what was gained and lost, and each answer that is not right.

# %%
report({"before": before, "after": after}, OUT / "report.html", title="Before and after training")
print(OUT / "report.html")

# %% [markdown]
# ## Use it
#
# In the loop, which carries out its calls: by the grammar, with arguments that the functions take.

# %%
result = run_agent(
    open_model(trained.gguf),
    household.TOOLS,
    "Set the office to 19 degrees.",
    sampling=SAMPLING,
)
for step in result.steps:
    print(step.kind, step.status, step.text)
