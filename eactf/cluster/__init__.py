"""This package brings the processes of one run on several machines together, without TensorFlow."""

from __future__ import annotations

from eactf.cluster.members import Cluster, cluster_of, is_in_cluster

__all__ = ["Cluster", "cluster_of", "is_in_cluster"]
