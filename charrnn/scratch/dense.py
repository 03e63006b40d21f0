"""What stands around the recurrent layers, forward and backward by hand: the table, the dense layers, the loss.

Shapes: N positions of any number of axes, D input features, O output features, V vocabulary.
"""

from __future__ import annotations

import numpy as np


def rows(table_VD: np.ndarray, ids_N: np.ndarray) -> np.ndarray:
    """The row of each symbol: x_ND. With the identity for a table these are one-hot vectors."""
    x_ND: np.ndarray = table_VD[ids_N]
    return x_ND


def rows_backward(table_VD: np.ndarray, ids_N: np.ndarray, grad_ND: np.ndarray) -> np.ndarray:
    """The derivative by the table: each row gathers the gradients of all places where its symbol stood."""
    grad_VD = np.zeros_like(table_VD)
    np.add.at(grad_VD, ids_N, grad_ND)
    return grad_VD


def affine(x_ND: np.ndarray, weight_OD: np.ndarray, bias_O: np.ndarray) -> np.ndarray:
    """y = x Wᵀ + b."""
    y_NO: np.ndarray = x_ND @ weight_OD.T + bias_O
    return y_NO


def affine_backward(
    x_ND: np.ndarray, weight_OD: np.ndarray, grad_NO: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The derivatives by the input, dy W; by the weights, dyᵀ x summed over positions; by the bias, Σ dy."""
    flat_x, flat_grad = x_ND.reshape(-1, x_ND.shape[-1]), grad_NO.reshape(-1, grad_NO.shape[-1])
    return grad_NO @ weight_OD, flat_grad.T @ flat_x, flat_grad.sum(0)


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0)."""
    y: np.ndarray = np.maximum(x, 0.0)
    return y


def relu_backward(y: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """The derivative by x, from y = relu(x): the gradient where y > 0; at the kink it is taken to be 0."""
    return grad * (y > 0.0)


def cross_entropy(logits_NV: np.ndarray, targets_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """−log softmax(logits) at the target, in nats, with the softmax itself, which is all that going back needs.

    The largest score is taken off first, so that no score is too large for the exponential.
    """
    shifted_NV = logits_NV - logits_NV.max(axis=-1, keepdims=True)
    exp_NV = np.exp(shifted_NV)
    sum_N1 = exp_NV.sum(axis=-1, keepdims=True)
    target_N1 = np.take_along_axis(shifted_NV, targets_N[..., None], axis=-1)
    return (np.log(sum_N1) - target_N1)[..., 0], exp_NV / sum_N1


def cross_entropy_backward(probs_NV: np.ndarray, targets_N: np.ndarray, grad_N: np.ndarray) -> np.ndarray:
    """The derivative by the scores: softmax − one-hot(target), times the gradient of each position's nats."""
    grad_NV: np.ndarray = probs_NV * grad_N[..., None]
    at = targets_N[..., None]
    np.put_along_axis(grad_NV, at, np.take_along_axis(grad_NV, at, axis=-1) - grad_N[..., None], axis=-1)
    return grad_NV
