"""Cells at concrete times: the computation graph, its Jacobians and its paths."""

from symgrad.cell.hooks import HOOKS
from symgrad.graph.graph import Edge as Edge
from symgrad.graph.graph import Graph as Graph
from symgrad.graph.graph import GraphNode as GraphNode
from symgrad.graph.graph import unroll as unroll

HOOKS["unroll"] = unroll
