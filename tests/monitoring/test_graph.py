import tensorflow as tf

from monitoring.gallery import serialize_graph
from tests.tiny import tiny


def nodes(model):
    graph = tf.compat.v1.GraphDef.FromString(serialize_graph(model, (4, 3)))
    return {node.name: node for node in graph.node}


def test_every_layer_is_a_box_of_its_own_name_in_any_model_of_a_process():
    def build():
        return tiny(
            (4, 3), 5, hidden_units=[6, 6], dropout=0.1, batch_normalization=True
        )

    first, second = nodes(build()), nodes(build())
    assert first.keys() == second.keys()
    boxes = {name.partition("/")[0] for name in first}
    assert boxes >= {"images", "pixels", "hidden_1", "normalization_1", "relu_2"}
    assert "tiny" not in boxes


def test_edges_lead_from_the_images_to_the_logits():
    graph = nodes(tiny((4, 3), 5, hidden_units=[6]))
    reached, ahead = set(), ["Identity"]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead += [source.partition(":")[0] for source in graph[name].input]
    assert "images" in reached
    assert {"hidden_1/MatMul", "logits/BiasAdd"} <= reached
