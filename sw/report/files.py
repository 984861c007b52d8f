"""Files that a report shows: networks, trained models, logs and figures, alone or in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spikeloom.sw.documents import parse_json
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes
from spikeloom.sw.network import Network, load
from spikeloom.sw.network.file import FORMAT as NETWORK_FORMAT
from spikeloom.sw.network.file import METADATA_KEY, read_metadata
from spikeloom.sw.report.kinds import Figures, Several
from spikeloom.sw.report.run import Json, Run
from spikeloom.sw.report.shapes import NUMBER, TEXT, WHOLE, Missing, require
from spikeloom.sw.report.trained import FORMAT as TRAINED_FORMAT
from spikeloom.sw.report.trained import trained
from spikeloom.sw.sealed import split

#: Bytes that a JSON file which is shown has at most; one that tools wrote may be larger.
LARGEST = 1 << 24
_WHAT = "file of figures"
#: Epochs of a training by recipe.
LOG = "log.jsonl"


def read_folder(folder: Path, run: Run) -> None:
    """Add everything to a run that a folder's own files say, in the order of their names.

    Files of other kinds, and folders in it, are passed over.

    Raises
    ------
    FileFormatError
        If a file is damaged.
    ConfigError
        If there are several networks, or several files of a kind of which one can be shown, or
        files of another network.
    """
    for path in sorted(folder.iterdir()):
        if not path.is_file():
            continue
        if path.name == LOG:
            run.log = read_log(path)
            run.note(path, "log")
        elif path.suffix == ".json":
            add_figures(path, run)
        elif path.suffix == ".safetensors":
            add_model(path, run)


def add_figures(path: Path, run: Run, required: bool = False) -> None:
    """Add the figures of a JSON file to a run; one of another kind is refused if ``required``."""
    try:
        content = parse_json(read_bytes(path, _WHAT, LARGEST))
    except ValueError as error:
        raise FileFormatError(f"{path} is damaged or no JSON ({error}): write it again") from None
    found = next(
        (x for x in Figures.kinds.values() if isinstance(content, dict) and x.recognises(content)),
        None,
    )
    if found is None:
        if required:
            raise FileFormatError(
                f"{path} holds no figures that a report shows: give what `cosim --report`, "
                f"`build`, or another command with --json has written"
            )
        return
    checked = found.read(content, path)
    found.add(checked, path, run)


def add_model(path: Path, run: Run) -> None:
    """Add the network, or the trained model, in a safetensors file to a run."""
    content = read_bytes(path, "model file")
    try:
        described = parse_json(split(content)[0])
        ours = METADATA_KEY in described.get("__metadata__", {})
    except (ValueError, AttributeError) as error:
        raise FileFormatError(f"{path} is damaged or no safetensors file ({error})") from None
    if not ours:
        return
    header = read_metadata(content, path, METADATA_KEY)
    kind = header.get("format")
    if kind == NETWORK_FORMAT:
        if run.model is not None:
            raise ConfigError(
                f"{path} is a second network in its folder: name the one that is meant instead"
            )
        run.model = load(path)
        run.note(path, "network")
    elif kind == TRAINED_FORMAT and run.trained is None:
        run.trained = trained(content, header, path)
        run.note(path, "trained model")


def read_log(path: Path) -> list[Json]:
    """Return the epochs of a training."""
    entries = []
    for number, line in enumerate(read_bytes(path, "log", LARGEST).splitlines(), 1):
        where = f"{path}, line {number}"
        try:
            entry = parse_json(line)
        except ValueError as error:
            raise FileFormatError(f"{where} is damaged ({error})") from None
        shape = {
            "phase": WHOLE,
            "epoch": WHOLE,
            "kind": TEXT,
            "validation_accuracy": Missing(NUMBER),
        }
        require(entry, {**shape, "average_timesteps": Missing(NUMBER)}, where)
        entries.append(entry)
    return entries


def digests(run: Run) -> Iterable[tuple[str, str]]:
    """Yield name and digest of each network that the files of a run are of."""
    for name, kind in Figures.kinds.items():
        held = getattr(run, name)
        files = held if issubclass(kind, Several) else {name: held} if held is not None else {}
        for file, content in files.items():
            digest = kind.digest(content)
            if digest is not None:
                yield file, digest


def require_one(run: Run, network: Network | None) -> None:
    """Require that all files of a run are of one network: the one given, if there is one.

    Raises
    ------
    ConfigError
        If they are of several.
    """
    found = list(digests(run))
    if network is not None:
        found.insert(0, (network.name, network.digest))
    for what, digest in found[1:]:
        if digest != found[0][1]:
            raise ConfigError(
                f"{run.path}: {what} is of another network (digest {digest[:12]}) than "
                f"{found[0][0]} ({found[0][1][:12]}): take the files of one network"
            )
