"""``spikeloom data``: show a data set, and whether its files are the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from spikeloom.sw.cli.common import DATASETS, DataSet, data_root_option, shape_text, table
from spikeloom.sw.cli.output import console, json_option, print_json, say, working

#: Names of the digests that files are compared by.
_DIGESTS = {"sha256": "SHA-256", "md5": "MD5"}


@click.command()
@click.argument("name", type=DataSet(), metavar="NAME|PATH")
@data_root_option(
    "Folder with the data set's original files, or with a folder of its name; digits needs none."
)
@click.option(
    "--task",
    type=click.Choice(("classes", "labels", "values")),
    help="Meaning of the labels of data of your own, where type and shape do not show it.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, name: str, data_root: Path | None, task: str | None, as_json: bool
) -> None:
    """Show what the data set NAME holds, and whether its files are the published ones.

    PATH is one to data of your own: a .npz or .npy file, a folder of images by class, or
    FILE.py:FUNCTION. It is shown as the other commands take it, with its splits and classes.

    Files are compared by the SHA-256 of their content, so that it does not matter whether they
    are compressed, or packed otherwise. Of some data sets, only the MD5 of archives is published;
    these are compared if they lie in the folder. The exit status is 1 if a content differs. Nothing
    is ever downloaded: where files are missing, the message says which, and where people get them.

    \b
        spikeloom data digits
        spikeloom data mnist --data-root ~/mnist
        spikeloom data cifar10 --data-root ~/data
        spikeloom data mydata.npz
        spikeloom data mydata.py:load
        spikeloom data prices.npz --task values
    """
    from spikeloom.sw import datasets

    loader = datasets.loader(name) if name in DATASETS else None
    splits = table("split", "#images", "#classes", "#shape", "#bits")
    files = table("", "file", "in", "content")
    content_of: dict[str, Any] = {"name": name, "splits": [], "files": []}

    def add(found: Any, kind: str, same: bool) -> None:
        digest = getattr(found, kind)
        content_of["files"].append(
            {"name": found.name, "path": str(found.path), kind: digest, "published": same}
        )
        files.add_row(
            "[green]ok[/]" if same else "[red]NO[/]",
            escape(found.name),
            escape(str(found.path)),
            "as published" if same else f"differs, {_DIGESTS[kind]} {digest}",
        )

    for split in datasets.SPLITS:
        with working(f"reading {name}"):
            data = datasets.load(name, split, data_root, task=task)
        shape = shape_text(data.timed_shape)
        splits.add_row(split, f"{len(data):,}", str(data.classes), shape, str(data.bits))
        content_of["splits"].append(
            {
                "split": split,
                "images": len(data),
                "classes": data.classes,
                "shape": list(data.timed_shape),
                "bits": data.bits,
            }
        )
        if loader is None:
            continue
        for content in loader.contents(split, data_root) if loader.published else ():
            add(content, "sha256", loader.is_published(content))
    if loader is not None:
        for archive in loader.packed(data_root) if loader.archives else ():
            with working(f"reading {archive.name}"):
                add(archive, "md5", loader.is_published_archive(archive))
    content_of["class_names"] = None if data.class_names is None else list(data.class_names)
    if as_json:
        print_json(content_of)
    out = console()
    out.print(splits)
    if loader is None:
        if data.task == "values":
            say("task: real values, of which the table has the number in place of classes")
        elif data.task == "labels":
            say("task: several labels at once")
        if data.class_names is not None:
            say(f"{data.task}: {', '.join(data.class_names)}")
        return
    if not loader.published and not loader.archives:
        say(f"no checksums are known for {name}")
        return
    if not content_of["files"]:
        wanted = ", ".join(loader.archives)
        say(f"the published checksums are those of {wanted}, of which none lies in the folder")
        return
    out.print(files)
    differing = sum(not file["published"] for file in content_of["files"])
    if differing:
        text = "1 file is" if differing == 1 else f"{differing} files are"
        say(f"{text} not as published: {loader.advice()}")
        ctx.exit(1)
    say("all files are as published")
