"""What `charrnn doctor` looks at in a folder of rounds of pseudo-labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.manifest import read_json
from charrnn.errors import CheckpointError, DataError
from charrnn.files import digest
from charrnn.runs.doctor_run import config_finding, data_findings, in_use, is_run, run_findings
from charrnn.runs.findings import Finding, command, json_finding, leftover_findings
from charrnn.runs.folder import RunFolder
from charrnn.runs.use import weights_sha256

_PART = ".part"


def rounds_findings(top: Path, corpora: Path) -> Iterator[Finding]:
    """All rounds of all seeds: manifests, tables of labels, runs, and whether the models are those of the manifests.

    Args:
        top: the folder of all rounds.
        corpora: where prepared corpora lie.
    """
    begun, config, seen = RunFolder(top).rounds, top / "config.yaml", set[str]()
    again = command("charrnn", "pseudolabel", config, "--out", top)
    yield from in_use(top)
    yield config_finding(config, "the same `charrnn pseudolabel` command writes it anew")
    yield json_finding(begun, "rounds", f"begin anew: {again} --force")
    try:
        document = read_json(begun)
        yield from data_findings([(document, command("charrnn", "prepare", config))], corpora, seen)
    except (DataError, AttributeError):
        pass  # that it is damaged has been told
    for seed in sorted(top.glob("seed-*")):
        for folder in sorted(path for path in seed.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from _Stage(top, folder, again).findings(corpora, seen)
        yield from leftover_findings(seed, top)
    for result in sorted([*top.glob("result.json"), *top.glob("seed-*/result.json")]):
        yield json_finding(result, "result", f"{again} writes it anew")
    yield from leftover_findings(top, top)


@dataclass(frozen=True)
class _Stage:
    """A round, the control, or the last stage.

    Attributes:
        top: the folder of all rounds.
        folder: that of the stage.
        again: the command that does what is not done.
    """

    top: Path
    folder: Path
    again: str

    def findings(self, corpora: Path, seen: set[str]) -> Iterator[Finding]:
        """All of a stage; whatever is damaged in it is mended by doing it again."""
        mend = f"{command('rm', '-r', *self._later())}; {self.again} does that again"
        if self.folder.name.endswith(_PART):
            yield Finding("note", "stage", self.folder, f"it is not done yet: {self.again} goes on")
        else:
            yield from self._manifest(mend)
        for run in [self.folder / "run", *sorted((self.folder / "teachers").glob("*"))]:
            if is_run(RunFolder(run)):
                for finding in run_findings(RunFolder(run), corpora, seen):
                    own = finding.thing not in ("corpus", "file") and finding.state in ("damaged", "missing")
                    yield replace(finding, mend=mend) if own else finding
        yield from leftover_findings(self.folder, self.top)

    def _manifest(self, mend: str) -> Iterator[Finding]:
        path = self.folder / "manifest.json"
        found = json_finding(path, "stage", mend)
        yield found
        if found.state != "ok":
            return
        manifest = read_json(path)
        try:
            models = [manifest["student"], *(manifest.get("teachers") or [])]
            wrong = [finding for model in models if model for finding in self._model(model, mend)]
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            yield Finding("damaged", "stage", path, f"it names no models: {error!r}", mend, DataError.exit_code)
            return
        if manifest.get("labels_sha256"):
            yield self._labels(str(manifest["labels_sha256"]), mend)
        yield from wrong

    def _labels(self, sha256: str, mend: str) -> Finding:
        """The table of labels, the only table in the folder."""
        mend, code = f"bring the former file back, or {mend}", DataError.exit_code
        tables = sorted(self.folder.glob("*.csv"))
        if not tables:
            return Finding("missing", "labels", self.folder / "*.csv", "the file is gone", mend, code)
        if digest.of_file(tables[0]) != sha256:
            why = "its SHA-256 is not the one in manifest.json"
            return Finding("damaged", "labels", tables[0], why, mend, code)
        return Finding("ok", "labels", tables[0])

    def _model(self, model: dict[str, Any], mend: str) -> Iterator[Finding]:
        """A model that a manifest names, where it is not the one that is there."""
        folder = self.top / model["checkpoint"]
        try:
            if weights_sha256(Checkpoint.open(folder)) == model["sha256"]:
                return
            why = "it is not the model that the rounds were made with"
            yield Finding("damaged", "model", folder, why, mend, DataError.exit_code)
        except CheckpointError as error:
            yield Finding("missing", "model", folder, error.why or error.what, mend, CheckpointError.exit_code)

    def _later(self) -> list[Path]:
        """This stage and all that follow from it, as far as they are there."""
        name = self.folder.name.removesuffix(_PART)
        if not name.startswith("round-"):
            return [self.folder]
        number = int(name.removeprefix("round-"))
        rounds = [(other, other.name.removesuffix(_PART)) for other in sorted(self.folder.parent.iterdir())]
        return [
            other
            for other, stage in rounds
            if stage in ("control", "finetune")
            or (stage.startswith("round-") and int(stage.removeprefix("round-")) >= number)
        ]
