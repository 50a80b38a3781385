"""The objects of the example prefix at work: they load, and they compute the right numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.example_prefix import JSON, PREFIX, names
from support.run_block import run_algorithm, run_loop, units

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.database import Database
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.experiment import Experiment
from beat.backend.python.library import Library
from beat.backend.python.protocoltemplate import ProtocolTemplate
from beat.backend.python.toolchain import Toolchain

CLASSES: dict[str, Any] = {
    "dataformats": DataFormat,
    "libraries": Library,
    "algorithms": Algorithm,
    "databases": Database,
    "protocoltemplates": ProtocolTemplate,
    "toolchains": Toolchain,
    "experiments": Experiment,
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in CLASSES for name in names(kind)]
)
def test_every_object_is_valid(kind: str, name: str) -> None:
    loaded = CLASSES[kind](str(PREFIX), name)
    assert loaded.errors == []
    assert loaded.valid
    assert loaded.name == name
    assert loaded.description


def values(found: list[Any], field: str = "value") -> list[Any]:
    """Return a field of the data of all units, as plain Python."""
    return [getattr(data, field).tolist() for data, _, _ in found]


def intervals(found: list[Any]) -> list[tuple[int, int]]:
    return [(start, end) for _, start, end in found]


def numbers(*items: float) -> list[Any]:
    return units([{"value": item} for item in items])


def texts(*items: str) -> list[Any]:
    return units([{"text": item} for item in items])


# ----------------------------------------------------------------------------------------- digits


def pca(tmp_path: Path, images: list[list[int]], **parameters: Any) -> Any:
    data = {"train": {"image": units([{"value": [image]} for image in images])}}
    ((subspace, start, end),) = run_algorithm(tmp_path, "tutorial/pca/1", data, **parameters)[
        "subspace"
    ]
    assert (start, end) == (0, len(images) - 1)
    return subspace


def test_pca(tmp_path: Path) -> None:
    # the points lie on a line in the direction (-1, 2), and one of the two is chosen
    subspace = pca(tmp_path, [[2, 0], [1, 2], [0, 4]], number_of_components=1)
    assert subspace.input_subtract.tolist() == pytest.approx([1, 2])
    assert subspace.input_divide.tolist() == [1, 1]
    assert subspace.weights == pytest.approx(np.array([[-1], [2]]) / np.sqrt(5))
    assert subspace.biases.tolist() == [0]


def test_pca_puts_the_strongest_component_first(tmp_path: Path) -> None:
    images = [[10, 7, 0], [10, 3, 0], [0, 5, 0], [20, 5, 0], [10, 5, 1], [10, 5, 1]]
    subspace = pca(tmp_path, images, number_of_components=2)
    assert subspace.weights == pytest.approx(np.eye(3, 2), abs=1e-12)


def test_pca_keeps_five_components_by_default(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 17, (8, 6))
    weights = pca(tmp_path, images.tolist()).weights
    assert weights.shape == (6, 5)
    assert weights.T @ weights == pytest.approx(np.eye(5), abs=1e-12)


@pytest.mark.parametrize("number", [0, 3])
def test_pca_refuses_a_number_that_there_cannot_be(tmp_path: Path, number: int) -> None:
    with pytest.raises(ValueError, match=f"number-of-components is {number}: 3 images of 2 pixels"):
        pca(tmp_path, [[2, 0], [1, 2], [0, 4]], number_of_components=number)


def test_pca_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    images = np.random.default_rng(2).integers(0, 17, (20, 64)).tolist()
    contents = []
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        pca(tmp_path / run, images, number_of_components=10)
        contents.append((tmp_path / run / "cache" / "subspace.0.19.data").read_bytes())
    assert contents[0] == contents[1]


def test_projection(tmp_path: Path) -> None:
    machine = {
        "input_subtract": [1, 1],
        "input_divide": [2, 1],
        "weights": [[1, 0], [0, 2]],
        "biases": [0, 1],
    }
    channels = {
        "images": {"image": units([{"value": [[3, 5]]}, {"value": [[0], [0]]}])},
        "training": {"subspace": units([machine], width=9)},
    }
    found = run_algorithm(tmp_path, "tutorial/projection/1", channels)["projection"]
    assert values(found) == [[1, 9], [-0.5, -1]]
    assert intervals(found) == [(0, 0), (1, 1)]


def test_enrolment(tmp_path: Path) -> None:
    channels = {
        "templates": {
            "projection": numbers([0, 2], [4, 4], [1, 1], [2, 3], [3, 8]),  # type: ignore[arg-type]
            "client_id": [({"value": 7}, 0, 1), ({"value": 9}, 2, 4)],
        }
    }
    found = run_algorithm(tmp_path, "tutorial/enrolment/1", channels)["model"]
    assert values(found) == [[2, 3], [2, 4]]
    assert values(found, "client_id") == [7, 9]
    assert intervals(found) == [(0, 1), (2, 4)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [-5, -2]),
        ({"similarity": "euclidean"}, [-5, -2]),
        ({"similarity": "cityblock"}, [-7, -2]),
        ({"similarity": "cosine"}, [0, 1]),
    ],
)
def test_scoring(tmp_path: Path, parameters: JSON, expected: list[float]) -> None:
    models = [({"client_id": 1, "value": [4, 0]}, 0, 4), ({"client_id": 2, "value": [0, 1]}, 5, 7)]
    channels = {
        "probes": {
            "projection": units([{"value": [0, 3]}]),
            "probe_id": numbers(31),
            "client_id": numbers(2),
        },
        "templates": {"model": models},
    }
    ((scores, _, _),) = run_algorithm(tmp_path, "tutorial/scoring/1", channels, **parameters)[
        "scores"
    ]
    assert (scores.client_id, scores.probe_id) == (2, 31)
    assert [entry.client_id for entry in scores.scores] == [1, 2]
    assert [entry.score for entry in scores.scores] == pytest.approx(expected)


def test_scoring_refuses_an_unknown_similarity() -> None:
    runner = Algorithm(str(PREFIX), "tutorial/scoring/1").runner()
    with pytest.raises(ValueError, match="similarity"):
        runner.setup({"similarity": "hamming"})


def probes(positives: list[float], negatives: list[float]) -> list[Any]:
    """Return probe scores: each probe against the model of its own client, then another's."""
    return units(
        [
            {
                "client_id": 1,
                "probe_id": i,
                "scores": [{"client_id": 1, "score": own}, {"client_id": 2, "score": other}],
            }
            for i, (own, other) in enumerate(zip(positives, negatives, strict=True))
        ]
    )


def roc(tmp_path: Path, version: int, positives: list[float], negatives: list[float]) -> Any:
    channels = {"probes": {"scores": probes(positives, negatives)}}
    ((result, start, end),) = run_algorithm(tmp_path, f"tutorial/roc/{version}", channels)["result"]
    assert (start, end) == (0, len(positives) - 1)
    return result


@pytest.mark.parametrize("version", [1, 2])
def test_roc(tmp_path: Path, version: int) -> None:
    result = roc(tmp_path, version, positives=[5, 2, 6, 4], negatives=[1, 3, 0, 1])
    assert (result.far, result.frr, result.eer) == (0.25, 0.25, 0.25)
    assert result.threshold == 2.5
    assert (result.number_of_positives, result.number_of_negatives) == (4, 4)
    (curve,) = result.roc.data
    assert list(zip(curve.x.tolist(), curve.y.tolist(), strict=True)) == [
        (1, 1),
        (0.25, 1),
        (0.25, 0.75),
        (0, 0.75),
        (0, 0),
    ]


@pytest.mark.parametrize(
    ("positives", "negatives", "eer", "threshold"),
    [
        ([3, 4], [1, 2], 0, 2.5),  # told apart without an error
        ([1, 2], [3, 4], 1, 2.5),  # always taken for the other
        ([1, 2, 3, 4], [1, 2, 3, 4], 0.5, 2.5),  # not to be told apart
        ([0, 5, 5], [0, 0, 5], 1 / 3, 2.5),
    ],
)
def test_equal_error_rate(
    tmp_path: Path, positives: list[float], negatives: list[float], eer: float, threshold: float
) -> None:
    result = roc(tmp_path, 2, positives, negatives)
    assert result.eer == pytest.approx(eer)
    assert result.threshold == pytest.approx(threshold)


def test_all_scores_equal(tmp_path: Path) -> None:
    result = roc(tmp_path, 2, positives=[1, 1], negatives=[1, 1])
    assert result.eer == 0.5
    assert {(result.far, result.frr)} <= {(0, 1), (1, 0)}


def test_roc_needs_both_kinds_of_scores(tmp_path: Path) -> None:
    scores = {"client_id": 1, "probe_id": 0, "scores": [{"client_id": 1, "score": 2.0}]}
    with pytest.raises(ValueError, match="one negative and one positive score, got 0 and 1"):
        run_algorithm(tmp_path, "tutorial/roc/2", {"probes": {"scores": units([scores])}})


# ------------------------------------------------------------------------------------------- iris

A = np.array([[0, 0], [4, 1], [1, 3], [3, 2]], dtype=float)
B = A + np.array([6, 2])


def lda(tmp_path: Path, classes: dict[str, Any], **parameters: Any) -> Any:
    samples = [sample for members in classes.values() for sample in members.tolist()]
    species = [name for name, members in classes.items() for _ in members]
    channels = {
        "train": {
            "measurements": units([{"value": sample} for sample in samples]),
            "species": texts(*species),
        }
    }
    ((model, start, end),) = run_algorithm(tmp_path, "tutorial/lda/1", channels, **parameters)[
        "model"
    ]
    assert (start, end) == (0, len(samples) - 1)
    return model


def test_lda_of_two_classes(tmp_path: Path) -> None:
    model = lda(tmp_path, {"a": A, "b": B})
    within = (np.cov(A, rowvar=False) + np.cov(B, rowvar=False)) / 2
    direction = np.linalg.solve(within, B.mean(axis=0) - A.mean(axis=0))
    direction /= np.sqrt(direction @ within @ direction)
    assert model.weights == pytest.approx(direction[:, None])
    assert model.input_subtract == pytest.approx(np.concatenate([A, B]).mean(axis=0))
    assert list(model.labels) == ["a", "b"]
    distance = (B.mean(axis=0) - A.mean(axis=0)) @ direction
    assert model.means == pytest.approx(np.array([[-distance / 2], [distance / 2]]))


def test_lda_of_three_classes(tmp_path: Path) -> None:
    classes = {"b": B, "c": A + np.array([1, 9]), "a": A}
    model = lda(tmp_path, classes)
    assert model.weights.shape == (2, 2)
    assert list(model.labels) == ["a", "b", "c"]
    for label, mean in zip(model.labels, model.means, strict=True):
        projected = (classes[label] - model.input_subtract) @ model.weights
        assert projected.mean(axis=0) == pytest.approx(mean)
        # all classes have the same shape here, so each has the variance one
        assert np.cov(projected, rowvar=False) == pytest.approx(np.eye(2))


def test_full_shrinkage_ignores_the_shape_of_classes(tmp_path: Path) -> None:
    weights = lda(tmp_path, {"a": A, "b": B}, shrinkage=1.0).weights.ravel()
    assert weights / np.linalg.norm(weights) == pytest.approx(np.array([6, 2]) / np.sqrt(40))


def test_shrinkage_copes_with_few_samples(tmp_path: Path) -> None:
    model = lda(tmp_path, {"a": A[:2], "b": B[:1]}, shrinkage=0.5)
    assert np.isfinite(model.weights).all()


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1])
def test_shrinkage_out_of_range(shrinkage: float) -> None:
    runner = Algorithm(str(PREFIX), "tutorial/lda/1").runner()
    with pytest.raises(ValueError, match="shrinkage"):
        runner.setup({"shrinkage": shrinkage})


def test_lda_needs_two_classes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least two classes, got 1"):
        lda(tmp_path, {"a": A})


def test_lda_scoring(tmp_path: Path) -> None:
    model = {
        "input_subtract": [1, 2],
        "input_divide": [1, 1],
        "weights": [[1], [0]],
        "biases": [0],
        "labels": ["near", "far"],
        "means": [[0], [4]],
    }
    channels = {
        "test": {"measurements": units([{"value": [2, 9]}, {"value": [5, -9]}])},
        "train": {"model": units([model], width=3)},
    }
    found = run_algorithm(tmp_path, "tutorial/lda_scoring/1", channels)["scores"]
    assert values(found, "scores") == [[-0.5, -4.5], [-8, 0]]
    assert [list(data.labels) for data, _, _ in found] == [["near", "far"]] * 2


def test_classification_report(tmp_path: Path) -> None:
    labels = ["x", "y", "z"]
    scores = [[2, 1, 0], [2, 1, 0], [-3, -1, -2], [0, 0, 5], [1, 0, 0]]
    channels = {
        "test": {
            "scores": units([{"labels": labels, "scores": row} for row in scores]),
            "species": texts("x", "y", "y", "z", "x"),
        }
    }
    ((result, _, _),) = run_algorithm(tmp_path, "tutorial/classification_report/1", channels)[
        "result"
    ]
    assert result.accuracy == np.float32(0.8)
    assert result.number_of_samples == 5
    assert result.classes == "x, y, z"
    assert result.confusion_matrix.value.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_learning_curve(tmp_path: Path) -> None:
    channels = {
        "flowers": {
            "guess": texts("", "x", "y", "x"),
            "species": texts("x", "y", "y", "x"),
            "corrections": numbers(1, 2, 0, 0),
        }
    }
    ((result, _, _),) = run_algorithm(tmp_path, "tutorial/learning_curve/1", channels)["result"]
    assert result.accuracy == 0.5
    assert result.number_of_corrections == 3
    right, corrections = result.learning_curve.data
    assert right.x.tolist() == corrections.x.tolist() == [1, 2, 3, 4]
    assert right.y.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert corrections.y.tolist() == pytest.approx([1, 3 / 2, 1, 3 / 4])


# ------------------------------------------------------------------------------------------ loops

LOOPS = {
    "sequential": ("tutorial/nearest_mean/1", "tutorial/supervisor/1"),
    "autonomous": ("tutorial/nearest_mean_autonomous/1", "tutorial/supervisor_autonomous/1"),
    "mixed": ("tutorial/nearest_mean/1", "tutorial/supervisor_autonomous/1"),
}

# two species on a line, one sample at a time; the means when a sample comes, and what is guessed:
FLOWERS = [
    ([0.0], "low", "", 1),  # nothing is known: gives up at once
    ([10.0], "high", "low", 2),  # only "low" is known: gives up after it
    ([2.0], "low", "low", 0),  # 0 and 10
    ([6.0], "low", "high", 1),  # 1 and 10: the second guess is right
    ([5.0], "high", "low", 1),  # 8/3 and 10
    ([5.5], "high", "high", 0),  # 8/3 and 15/2
]


@pytest.mark.parametrize("kind", LOOPS)
def test_learner_and_supervisor(tmp_path: Path, kind: str) -> None:
    inputs = {
        "measurements": units([{"value": sample} for sample, _, _, _ in FLOWERS]),
        "species": texts(*(species for _, species, _, _ in FLOWERS)),
    }
    found = run_loop(tmp_path, *LOOPS[kind], inputs)
    assert [data.text for data, _, _ in found["guess"]] == [guess for _, _, guess, _ in FLOWERS]
    assert [int(data.value) for data, _, _ in found["corrections"]] == [n for _, _, _, n in FLOWERS]
    for output in ("guess", "corrections"):
        assert intervals(found[output]) == [(i, i) for i in range(len(FLOWERS))]


@pytest.mark.parametrize("kind", LOOPS)
def test_learner_gives_up_after_the_maximum_of_guesses(tmp_path: Path, kind: str) -> None:
    inputs = {
        "measurements": units([{"value": [x]} for x in (0.0, 1.0, 2.0, 0.0)]),
        "species": texts("a", "b", "c", "c"),
    }
    found = run_loop(tmp_path, *LOOPS[kind], inputs, maximum_guesses=1)
    assert [data.text for data, _, _ in found["guess"]] == ["", "a", "b", "a"]
    assert [int(data.value) for data, _, _ in found["corrections"]] == [1, 2, 2, 2]


@pytest.mark.parametrize("kind", ["sequential", "autonomous"])
def test_learner_must_guess_at_least_once(kind: str) -> None:
    runner = Algorithm(str(PREFIX), LOOPS[kind][0]).runner()
    with pytest.raises(ValueError, match="maximum-guesses"):
        runner.setup({"maximum-guesses": 0})


# -------------------------------------------------------------------------------------- databases


def view(tmp_path: Path, database: str, protocol: str, set_name: str) -> Any:
    """Return a view that is indexed and set up on the raw data of the prefix."""
    runner = Database(str(PREFIX), database).view(
        protocol, set_name, root_folder=str(PREFIX / "rawdata" / database)
    )
    index = str(tmp_path / f"{set_name}.db")
    runner.index(index)
    runner.setup(index, pack=False)
    return runner


@pytest.mark.parametrize(
    ("set_name", "identity", "first", "count"),
    [
        ("train", "file_id", 0, 90),
        ("templates", "file_id", 90, 20),
        ("probes", "probe_id", 110, 40),
    ],
)
def test_sets_of_digits(
    tmp_path: Path, set_name: str, identity: str, first: int, count: int
) -> None:
    runner = view(tmp_path, "digits/1", "verification", set_name)
    with np.load(PREFIX / "rawdata/digits/1/digits.npz", allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    sources = runner.data_sources
    assert set(sources) == {"image", identity, "client_id"}
    # a client's id goes over all images of the client
    assert [unit[1:] for unit in sources["client_id"]] == [
        (i * count, (i + 1) * count - 1) for i in range(10)
    ]
    assert [unit[0].value for unit in sources["client_id"]] == list(range(10))
    rows = [int(unit[0].value) for unit in sources[identity]]
    expected = [np.flatnonzero(labels == c)[first : first + count] for c in range(10)]
    assert rows == np.concatenate(expected).tolist()
    assert len(sources["image"]) == len(rows)
    for i in (0, 1, len(rows) - 1):
        data, start, end = sources["image"][i]
        assert (start, end) == (i, i)
        assert data.value.dtype == np.uint8
        assert data.value.tolist() == images[rows[i]].tolist()


def test_index_of_digits_holds_no_image(tmp_path: Path) -> None:
    entry = view(tmp_path, "digits/1", "verification", "probes").objects()[0]
    assert entry._asdict() == {
        "client_id": 0,
        "file": "digits.npz",
        "image": 1105,
        "probe_id": 1105,
    }


def test_halves_of_iris(tmp_path: Path) -> None:
    seen: list[int] = []
    for set_name in ("train", "test"):
        runner = view(tmp_path, "iris/1", "halves", set_name)
        sources = runner.data_sources
        assert len(sources["measurements"]) == 75
        assert [(unit[0].text, *unit[1:]) for unit in sources["species"]] == [
            ("setosa", 0, 24),
            ("versicolor", 25, 49),
            ("virginica", 50, 74),
        ]
        seen += [entry.measurements for entry in runner.objects()]
    assert sorted(seen) == list(range(150))


def test_stream_of_iris(tmp_path: Path) -> None:
    sources = view(tmp_path, "iris/1", "stream", "flowers").data_sources
    species = [(unit[0].text, *unit[1:]) for unit in sources["species"]]
    assert species == [
        (name, i, i) for i, name in enumerate(50 * ["setosa", "versicolor", "virginica"])
    ]
    assert len(sources["measurements"]) == 150
    assert sources["measurements"][4][0].value.tolist() == [6.4, 3.2, 4.5, 1.5]
