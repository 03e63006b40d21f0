"""Models of ratings against their formulas, written out pair by pair in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from charrnn.config.schema import rate as schema
from charrnn.models.build import build_rating_model
from charrnn.models.core import Draws
from charrnn.models.histories import Histories
from charrnn.models.ratings import Known, RatingModel

USERS, ITEMS = 5, 6
PAIRS = [
    (0, 0),
    (0, 1),
    (1, 1),
    (1, 2),
    (1, 3),
    (2, 0),
    (2, 3),
    (3, 2),
    (3, 0),
    (1, 2),
]  # user 4, items 4 and 5: unseen
RATINGS = [4.0, 3.0, 5.0, 1.0, 2.0, 4.5, 2.5, 3.0, 1.5, 4.0]
CONFIGS = {
    "dot": schema.Factors(size=3, biases=False, mean=False),
    "factors": schema.Factors(size=3),
    "range": schema.Factors(size=3, range=schema.Range(low=0.5, high=6.0)),
    "histories": schema.Histories(kind="histories", size=3),
    "users": schema.Histories(kind="histories", size=3, sides="users", implicit=False, exponent=1.0),
    "items": schema.Histories(kind="histories", size=3, sides="items"),
    "network": schema.RatingsNetwork(kind="ratings-network", users=3, items=2, hidden=(4,)),
}


def known() -> Known:
    users, items = torch.tensor(PAIRS).T
    return Known(users, items, torch.tensor(RATINGS), USERS, ITEMS)


def model_of(name: str, seed: int = 1) -> RatingModel:
    model = build_rating_model(CONFIGS[name], known(), seed, torch.float64)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.4, generator=generator)
    return model


def predicted(model: RatingModel, pairs: list[tuple[int, int]], own: list[float] | None = None) -> np.ndarray:
    users, items = torch.tensor(pairs).T
    own_B = None if own is None else torch.tensor(own, dtype=torch.float64)
    with torch.no_grad():
        return model.score(*_arguments(model, users, items), own_B, None).numpy()


def _arguments(model: RatingModel, users: torch.Tensor, items: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return users, items, torch.stack([model.seen_users_U[users], model.seen_items_I[items]], 1)


def by_hand(model: Histories, user: int, item: int, left_out: int | None) -> float:
    """A prediction with the known rating of this index left out."""
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    mean = np.mean(RATINGS)
    rest = [
        (u, i, r - mean - w["biases.users_U"][u] - w["biases.items_I"][i])
        for (u, i), r in zip(PAIRS, RATINGS, strict=True)
    ]
    score = mean + w["biases.users_U"][user] + w["biases.items_I"][item]
    for side, me, other in (("of_users", 0, 1), ("of_items", 1, 0)):
        if getattr(model, side) is None:
            continue
        x, y = (user, item)[me], (user, item)[other]
        mine = [n for n, row in enumerate(rest) if row[me] == x]
        total = np.zeros(3)
        for n in mine:
            if n != left_out:
                total += rest[n][2] * w[f"{side}.residual_YD"][rest[n][other]]
                if model.config.implicit:
                    total += w[f"{side}.implicit_YD"][rest[n][other]]
        score += total / len(mine) ** model.config.exponent @ w[f"{side}.target_YD"][y]
    return float(score)


@pytest.mark.parametrize("name", ["histories", "users", "items"])
def test_histories_are_the_formula_and_leave_a_known_rating_out_of_itself(name: str) -> None:
    model = model_of(name)
    fresh = [(0, 2), (3, 1), (2, 1)]
    assert isinstance(model, Histories)
    expected = [by_hand(model, *pair, None) for pair in fresh]
    np.testing.assert_allclose(predicted(model, fresh), expected, rtol=1e-12)
    expected = [by_hand(model, *pair, n) for n, pair in enumerate(PAIRS)]
    np.testing.assert_allclose(predicted(model, PAIRS, RATINGS), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["histories", "users", "items"])
def test_a_known_rating_does_not_move_its_own_prediction_but_for_the_mean(name: str) -> None:
    model = model_of(name)
    before = predicted(model, PAIRS[:1], RATINGS[:1])
    model.ratings_N[0] += 1.0  # the histories have another rating for the pair, the mean stays
    np.testing.assert_allclose(predicted(model, PAIRS[:1], [RATINGS[0] + 1.0]), before, rtol=1e-12)
    assert not np.allclose(predicted(model, PAIRS[:1]), before)


def test_gradients_of_histories_are_those_of_finite_differences() -> None:
    model = model_of("histories")
    users, items = torch.tensor(PAIRS).T
    own_B = torch.tensor(RATINGS, dtype=torch.float64)

    def loss(*vectors: torch.Tensor) -> torch.Tensor:
        parts = dict(zip(names, vectors, strict=True))
        score_B: torch.Tensor = torch.func.functional_call(
            model, parts, (users, items, own_B), tie_weights=False, strict=False
        )
        return score_B

    named = {n: p for n, p in model.named_parameters() if not n.startswith("biases")}
    names = list(named)
    assert torch.autograd.gradcheck(loss, tuple(p.detach().requires_grad_() for p in named.values()))


@pytest.mark.parametrize(("name", "expected"), [("dot", 0.0), ("factors", 3.05)])
def test_factors_are_the_formula(name: str, expected: float) -> None:
    model = model_of(name)
    w = {key: p.detach().numpy() for key, p in model.named_parameters()}
    for user, item in PAIRS:
        value = expected + w["users_UD"][user] @ w["items_ID"][item]
        if name == "factors":
            value += w["biases.users_U"][user] + w["biases.items_I"][item]
        np.testing.assert_allclose(predicted(model, [(user, item)]), value, rtol=1e-6)


def test_the_unseen_fall_back_to_the_biases_there_are_and_else_to_the_mean() -> None:
    mean = np.mean(RATINGS)
    np.testing.assert_allclose(predicted(model_of("dot"), [(4, 0), (0, 4), (4, 5)]), [mean] * 3, rtol=1e-6)
    for name in ("factors", "histories"):
        model = model_of(name)
        user = mean + model.biases.users_U[0].item()
        item = mean + model.biases.items_I[0].item()
        np.testing.assert_allclose(predicted(model, [(0, 4), (4, 0), (4, 5)]), [user, item, mean], rtol=1e-6)
    network = model_of("network").eval()
    with torch.no_grad():
        network.users_UD[4] = 100.0
    np.testing.assert_allclose(*(predicted(network, [(4, 1)]), predicted(_averaged(network), [(4, 1)])))


def _averaged(network: RatingModel) -> RatingModel:
    """The network where user 4 has the average vector of the others, and counts as seen."""
    with torch.no_grad():
        network.users_UD[4] = network.users_UD[:4].mean(0)
        network.seen_users_U[4] = True
    return network


def test_nobody_is_nobody() -> None:
    model = model_of("factors").eval()
    items = torch.tensor([0, 1])
    nobody, unseen = (model(torch.full_like(items, user), items) for user in (-1, 4))
    assert nobody.tolist() == unseen.tolist()


@pytest.mark.parametrize("name", CONFIGS)
def test_in_use_predictions_keep_to_the_ratings_that_occur(name: str) -> None:
    model = model_of(name).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(30.0)
        users, items = torch.tensor(PAIRS).T
        told = model(users, items)
    assert 1.0 <= told.min() <= told.max() <= 5.0


def test_a_range_holds_in_training_too() -> None:
    model = model_of("range")
    with torch.no_grad():
        model.users_UD.mul_(100.0)
        told = model(*torch.tensor(PAIRS).T)
    assert 0.5 <= told.min() <= told.max() <= 6.0


@pytest.mark.parametrize("name", CONFIGS)
def test_fresh_weights_are_a_function_of_the_seed(name: str) -> None:
    one, same, other = (
        build_rating_model(CONFIGS[name], known(), seed, torch.float32).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_dropout_is_a_function_of_the_step() -> None:
    config = schema.Histories(kind="histories", size=3, dropout=0.5, scale=1.0)
    model = build_rating_model(config, known(), 1, torch.float32)
    users, items = torch.tensor(PAIRS).T
    told = [model(users, items, None, Draws(1, step, len(PAIRS))).tolist() for step in (4, 4, 5)]
    assert told[0] == told[1] != told[2]


def test_penalties_are_sums_of_squares_and_nothing_where_they_weigh_nothing() -> None:
    model = model_of("histories")
    vectors = [p for n, p in model.named_parameters() if not n.startswith("biases")]
    biases = [p for n, p in model.named_parameters() if n.startswith("biases")]
    told = {name: value.item() for name, value in model.penalties().items()}
    assert told["l2"] == pytest.approx(1e-4 * sum(p.square().sum().item() for p in vectors))
    assert told["bias_l2"] == pytest.approx(5e-5 * sum(p.square().sum().item() for p in biases))
    bare = build_rating_model(schema.Factors(size=2, l2=0.0, bias_l2=0.0), known(), 1, torch.float32)
    assert list(bare.penalties()) == []
