"""The guide's tour, and what can be set and brought along."""

import streamlit as st

TOUR = """
1. **Open the app.** It shows a digit that the model gets wrong, and is most sure about. Read the title and the sentence under it.
2. **Choose another mistake** from the thumbnails. *Least confident* shows the close calls; *Your own picture* takes a drawing or a photo of a digit.
3. **Look at both sides.** The left images pulled the model towards its answer, the right ones away. Are some of them badly written, or mislabelled? If the test image's own label is wrong, say so under it.
4. **Switch the label** to the true one. Sides change: what spoke for the mistake now speaks against the truth.
5. **Look at all of them.** In the chart, influence is not nearness: among images at the same distance some help and some harm. Click a point.
6. **Read the opened image.** Its numbers, and which of its pixels matter. Say what you see (*wrong label*, *remove*, *keep*, *unsure*, a note): the list *My changes* in the sidebar keeps it, with undo, and opens the model with your changes on every page. *Take the list along* saves it as a file that *Build* opens elsewhere.
7. **Check it.** Tick two images, *Take out and retrain*. Forecast and truth stand side by side, with the gradient norm that proves the training.
8. **Take the score apart** (*Anatomy of the score*): without the curvature, little more than the label would seem to count.
9. **Send the address** to a colleague: it holds the whole view. The ranking downloads as CSV, each chart as a picture (its camera button), the main one also as HTML.

From there: *Data health* says what to look at first, labels that the model contradicts among them, in training and test set. *Forecast and truth* leaves out up to 500 examples one by one. *Compare* sets any two answers side by side, once you have pinned one of them. *Failing on a group*
takes a table of your own (CSV), and says first whether the model fails there more than elsewhere. *Review* shows one suspect at a time, with keys, and its evidence: what the model says that never saw it,
its like under both labels, who speaks for and against; its verdicts are lines of *My changes*, and a second review under another name is compared with the first. *What if* takes out a group, or all rows with one value of a table's column, as if that person or site had withdrawn.
"""

OWN = """
Pictures, texts and tables of your own become studies on the page *Build*, which says what it skipped and why. A zip is unpacked into a folder of its own
and stays until you remove it; all uploads together may get as large as the kept results. Of the server's own disk only the data folder can be read, and the folders that whoever starts the
app names. Weights for torchvision's networks go into the data folder as `weights/NAME.pth` or `.safetensors`; *Build* downloads them when you ask it to. A network of your own comes
as a Python file that whoever starts the app names; nothing that runs code is ever accepted through the browser.
"""

SETTINGS = """
Whoever starts the app may set these variables first.

| variable | meaning |
|---|---|
| `INFLUENCE_EXPLORER_DATA` | the data folder: data that do not ship with the app, and weights |
| `INFLUENCE_EXPLORER_FOLDERS` | more folders whose pictures and texts may be read, apart by `:` (on Windows by `;`) |
| `INFLUENCE_EXPLORER_MODULE` | a Python file that adds studies, data sets or a network; CONTRIBUTING.md shows one |
| `INFLUENCE_EXPLORER_PROVE_SECONDS`, `INFLUENCE_EXPLORER_PROVE_MB` | how long all retrainings of a study may be expected to take, and how large they may be, to be begun unasked; 120 and 1024 by default, 0 seconds for never |
| `INFLUENCE_EXPLORER_CACHE` | folder of the store (trained parameters and results); the user's cache folder otherwise |
| `INFLUENCE_EXPLORER_HOME` | folder of what people did (uploads, recipes of studies, verdicts), which is never forgotten; one among the user's data otherwise |
| `INFLUENCE_EXPLORER_SESSION_DAYS` | after how many days without a change a list *My changes* is removed; never by default |
| `INFLUENCE_EXPLORER_CACHE_MB` | the limit of the store, 2048 by default; what was used longest ago goes first; uploads may take as much together, and no more are taken then |

The server listens on this machine only. To share it, start it behind a proxy that knows its visitors.
"""

TABLES = """
All training examples against all test answers are a *whole table*. For linear models a page makes one beside itself (*Explain*: in the list of test examples, and under *Other rankings*), and says beforehand what it takes;
so does the command line, `python -m influence_core table --study NAME --full`, for the same store. Where there is one, the test examples can be sorted by how far a single training example moves them and by how few they hang on,
*Other rankings* counts over all of them, and *Data health* has read off it what no answer needs. A table of another form goes into a folder, in parts; after a kill the same command goes on from the last part, and `--estimate` says what it would take:

```
python -m influence_core table --study digits --out FOLDER --top 100 --kind influence
```

For linear models with a smooth loss `torchrun` shares the work out. Each process has its own training examples: it adds up its share of the curvature, has its own columns of the table and,
for `--kind proven`, trains the models without its own examples. The first process writes `FOLDER`:
the same numbers as one process would, to 1e-10 of the largest effect (`python -m tests.benchmarks.processes`). On a laptop with four cores, on a machine with eight GPUs, and on four such machines under Slurm:

```
torchrun --nproc-per-node 4 -m influence_core table --study digits --out FOLDER
torchrun --nproc-per-node 8 -m influence_core table --study digits --out FOLDER --device cuda
srun -N4 --ntasks-per-node=1 torchrun --nnodes 4 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint "$(scontrol show hostnames | head -1):29500" -m influence_core table --study digits --out FOLDER
```

If a process is lost, all end; start the same command again, or let `--max-restarts 3` after `torchrun` do so. All machines should be of one kind. Every process reads the whole data set and keeps the whole factor:
what is shared out is the work, not yet the memory. The GPU and Slurm lines follow torchrun's manual and have not been run.
"""


def show() -> None:
    """Four folded pieces of prose."""
    for title, text in (
        ("A ten-minute tour", TOUR),
        ("Pictures, texts and a model of your own", OWN),
        ("Whole tables, and more than one process", TABLES),
        ("Settings, for whoever starts the app", SETTINGS),
    ):
        with st.expander(title):
            st.markdown(text)
