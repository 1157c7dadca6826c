# SPDX-License-Identifier: GPL-3.0-or-later
"""XML as Microsoft writes it: one line, no prefixes where a default namespace will do, attributes before xmlns.

lxml writes namespace declarations first. No signature notices (canonical form sorts them anyway), but a
parser under test should see the very bytes it will meet.
"""

from lxml import etree

PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>'


def element(name, attributes=(), *children, prefix=None, **namespaces):
    """An element in the namespace of `name` ("{uri}local"), declared as default or under `prefix`.

    Children are elements, strings (text), or None (left out, which keeps optional parts readable).
    """
    nsmap = {prefix: etree.QName(name).namespace, **namespaces}
    made = etree.Element(name, nsmap=nsmap)
    for key, value in dict(attributes).items():
        if value is not None:
            made.set(key, value)
    for child in children:
        if isinstance(child, str):
            made.text = (made.text or "") + child
        elif child is not None:
            made.append(child)
    return made


def serialise(node, *, empty="/>"):
    """The text of an element, without XML declaration. `empty` ends an element without content."""
    return "".join(_pieces(node, {"xml": None}, empty))


def _pieces(node, scope, empty):
    if node.tag is etree.Comment:
        yield f"<!--{node.text}-->"
        return
    if node.tag is etree.ProcessingInstruction:
        yield f"<?{node.target} {node.text}?>"
        return
    declared = {prefix: uri for prefix, uri in node.nsmap.items() if scope.get(prefix) != uri}
    name = _qualified(node.prefix, etree.QName(node).localname)
    yield f"<{name}"
    for key, value in node.items():
        yield f' {_attribute_name(node, key)}="{_escaped(value, attribute=True)}"'
    for prefix, uri in declared.items():
        yield f' {_qualified("xmlns", prefix) if prefix else "xmlns"}="{_escaped(uri, attribute=True)}"'
    if not len(node) and not node.text:
        yield empty
        return
    yield ">" + _escaped(node.text or "")
    for child in node:
        yield from _pieces(child, {**scope, **declared}, empty)
        yield _escaped(child.tail or "")
    yield f"</{name}>"


def _attribute_name(node, key):
    name = etree.QName(key)
    if name.namespace is None:
        return name.localname
    prefix = next(prefix for prefix, uri in node.nsmap.items() if prefix and uri == name.namespace)
    return _qualified(prefix, name.localname)


def _qualified(prefix, name):
    return f"{prefix}:{name}" if prefix else name


def _escaped(text, attribute=False):
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
    if attribute:
        text = text.replace('"', "&quot;").replace("\n", "&#xA;").replace("\t", "&#x9;")
    return text
