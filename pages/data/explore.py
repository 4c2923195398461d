"""The images of a dataset: counts, split, gallery, sizes and problems."""

from collections.abc import Callable
from pathlib import PurePosixPath

import pandas as pd
import streamlit as st

from cfu_core.dataset.splitting import PARTITIONS, check_split, check_trainable
from cfu_core.errors import CfuError
from cfu_core.evaluation.tables import table_2
from pages.components import cached, charts
from pages.components.gallery import gallery
from pages.components.state import chosen_dataset, header, in_url, split_seed_input


def filter_pills(label: str, key: str, options: list[str], names: Callable[[str], str] = str) -> list[str]:
    """Choose some of a few; none means all."""
    with in_url(key, [], lambda value: set(value) <= set(options)):
        return st.pills(label, options, selection_mode="multi", key=key, format_func=names)


header("Explore", "What the dataset holds, how it is split, and what was wrong with the files.")
data = chosen_dataset()
images = data.images

facts = st.grid(2, min_column_width=400, gap="large")
chart, table = facts.cell(), facts.cell()
with table:
    st.subheader(
        "The split",
        anchor=False,
        help="Training images teach the network, validation images choose the best epoch, and test images are looked "
        "at once, at the end. The paper calls the test images “classification” (its Table 2).",
    )
    seed = split_seed_input()
    try:
        split = cached.split(data, seed)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
    counts = table_2(split.counts)
    if not counts["Published"].any():
        counts = counts.drop(columns="Published")
    st.dataframe(counts, hide_index=True)
    st.caption(split.nearness)
    try:
        check_trainable(data.counts)
        check_split(split)
    except CfuError as error:
        st.warning(f"This dataset can be explored, but not trained on. {error}", icon=":material/warning:")
with chart:
    charts.show(charts.class_counts(split.counts), key="class_counts", alt="Images per class and partition")

st.subheader("Images", anchor=False)
partition = images["path"].map(split.assignment)
with st.container(horizontal=True, gap="large"):
    classes = filter_pills("Class", "class", data.classes)
    partitions = filter_pills("Partition", "partition", list(PARTITIONS), lambda p: charts.SHORT[p])
    with in_url("name", "", lambda value: True):
        wanted = st.text_input("Name contains", key="name", width=220)
chosen = images["label"].isin(classes or data.classes) & partition.isin(partitions or PARTITIONS)
chosen &= images["path"].str.contains(wanted, case=False, regex=False)
rows = images.index[chosen].tolist()
names = [
    f"**{images['label'].iat[i]}** · {charts.SHORT[partition.iat[i]]}  \n{PurePosixPath(images['path'].iat[i]).name}"
    + (f" · {images['group'].iat[i]}" if data.has_groups else "")
    for i in rows
]
gallery(data, rows, names, key="page")

details = st.tabs(["Sizes", f"Problems ({len(data.problems)})", "Identical files"], key="facts", on_change="rerun")
with details[0]:
    if details[0].open:
        sizes = images[["width", "height"]].drop_duplicates()
        if len(sizes) == 1:
            st.write(f"Every image has {sizes.iat[0, 0]} × {sizes.iat[0, 1]} pixels.")
        else:
            st.write(f"{len(sizes)} different sizes. Every image is brought to the network's size before training.")
            charts.show(
                charts.image_sizes(images["width"].tolist(), images["height"].tolist(), images["label"].tolist()),
                key="sizes",
                alt="Width against height of every image",
            )
with details[1]:
    if details[1].open:
        if data.problems:
            st.write("What the import left out, and why. Mend it and import again, or go on without.")
            problems = pd.DataFrame(
                [{"File": p.path, "Kind": p.kind, "What is wrong": p.detail} for p in data.problems]
            )
            st.dataframe(
                problems, hide_index=True, column_config={"What is wrong": st.column_config.TextColumn(width="large")}
            )
        else:
            st.write("Every file could be read.")
with details[2]:
    if details[2].open:
        duplicates = data.duplicates()
        if duplicates:
            st.write("These files are identical byte for byte. They always fall into the same partition.")
            st.dataframe(pd.DataFrame({"Identical files": [", ".join(paths) for paths in duplicates]}), hide_index=True)
        else:
            st.write("No two files are identical.")
