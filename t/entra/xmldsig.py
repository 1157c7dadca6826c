# SPDX-License-Identifier: GPL-3.0-or-later
"""XML signatures, made rather than checked.

add()   inserts a signature in the one shape that Entra ID produces;
fill()  computes the values of a signature that already stands in a tree, whatever
        algorithms and transforms it names. The test vectors are templates of that kind:
        they need signatures that are mathematically right and wrong in every other way.

Nothing here verifies anything: the module under test does, and xmlsec1 in the tests of
this file.
"""

import base64
import copy
import hmac

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ENC = "http://www.w3.org/2001/04/xmlenc#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"

DIGESTS = {
    "md5": (MORE + "md5", hashes.MD5),
    "sha1": (DS + "sha1", hashes.SHA1),
    "sha224": (MORE + "sha224", hashes.SHA224),
    "sha256": (ENC + "sha256", hashes.SHA256),
    "sha384": (MORE + "sha384", hashes.SHA384),
    "sha512": (ENC + "sha512", hashes.SHA512),
}
SIGNATURES = {
    "rsa-md5": MORE + "rsa-md5",
    "rsa-sha1": DS + "rsa-sha1",
    "rsa-sha224": MORE + "rsa-sha224",
    "rsa-sha256": MORE + "rsa-sha256",
    "rsa-sha384": MORE + "rsa-sha384",
    "rsa-sha512": MORE + "rsa-sha512",
    "rsa-pss-sha256": "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
    "ecdsa-sha256": MORE + "ecdsa-sha256",
    "hmac-sha1": DS + "hmac-sha1",
    "hmac-sha256": MORE + "hmac-sha256",
    "hmac-sha512": MORE + "hmac-sha512",
}
DIGEST_OF_URI = {uri: factory for uri, factory in DIGESTS.values()}
SIGNATURE_OF_URI = {uri: name for name, uri in SIGNATURES.items()}


def add(element, private_key, certificate, *, digest="sha256", signature="rsa-sha256", position=None):
    """Sign `element` (by its ID attribute) with an enveloped signature and return the ds:Signature.

    It goes right after the Issuer, or first where there is none, unless `position` gives a
    child index. `digest` and `signature` are keys of DIGESTS and SIGNATURES.
    """
    template = etree.Element(f"{{{DS}}}Signature", nsmap={None: DS})
    info = _sub(template, "SignedInfo")
    _sub(info, "CanonicalizationMethod", EXC_C14N)
    _sub(info, "SignatureMethod", SIGNATURES[signature])
    reference = _sub(info, "Reference")
    reference.set("URI", "#" + element.get("ID"))
    transforms = _sub(reference, "Transforms")
    _sub(transforms, "Transform", ENVELOPED)
    _sub(transforms, "Transform", EXC_C14N)
    _sub(reference, "DigestMethod", DIGESTS[digest][0])
    _sub(reference, "DigestValue")
    _sub(template, "SignatureValue")
    if position is None:
        position = 1 if len(element) and etree.QName(element[0]).localname == "Issuer" else 0
    element.insert(position, template)
    return fill(template, private_key, certificate)


def fill(signature, key, certificate=None, *, target=None):
    """Compute every DigestValue and then the SignatureValue of `signature`, in place, and return it.

    `key` is a private key, or bytes: the secret of an HMAC. With `certificate` it is put into
    the X509Certificate of the template, or into a KeyInfo made for it. `target` names the
    element that References with an ID mean, where the document holds the ID more than once.
    What cannot be computed (an unknown algorithm, a Reference to elsewhere) keeps the value
    that the template has. Where signatures lie within each other fill the inner one first.
    """
    info = signature.find(_ds("SignedInfo"))
    for reference in info.findall(_ds("Reference")):
        _fill_reference(signature, reference, target)
    method = info.find(_ds("SignatureMethod"))
    value = _sign(_canonical(info, info.find(_ds("CanonicalizationMethod"))), method, key)
    if value is not None:
        signature.find(_ds("SignatureValue")).text = _base64(value)
    if certificate is not None:
        _fill_key_info(signature, certificate)
    return signature


def certificate_base64(certificate):
    """The text of an X509Certificate element."""
    return _base64(certificate.public_bytes(serialization.Encoding.DER))


# --- References -------------------------------------------------------------------------------------


def _fill_reference(signature, reference, target):
    factory = DIGEST_OF_URI.get(reference.find(_ds("DigestMethod")).get("Algorithm"))
    node, comments = _dereference(signature, reference.get("URI", ""), target)
    if factory is None or node is None:
        return
    octets = _transformed(node, comments, signature, reference)
    reference.find(_ds("DigestValue")).text = _base64(_digest(factory(), octets))


def _dereference(signature, uri, target):
    """(element or whole document, whether its comments belong to it): "" and "#id" leave them out (XMLDSig 4.4.3.3)."""
    document = signature.getroottree()
    if uri == "":
        return document, False
    if uri == "#xpointer(/)":
        return document, True
    if uri.startswith("#xpointer(id("):
        identifier, comments = uri[len("#xpointer(id("):-2].strip("'\""), True
    elif uri.startswith("#"):
        identifier, comments = uri[1:], False
    else:
        return None, False
    if target is not None:
        return target, comments
    return next((e for e in document.iter(etree.Element) if e.get("ID") == identifier), None), comments


def _transformed(node, comments, signature, reference):
    """The octets to digest. They are taken from a copy of the document, so that nodes can be removed from it."""
    document = copy.deepcopy(signature.getroottree())
    subject = document if isinstance(node, etree._ElementTree) else _same_place(document, node)
    twin = _same_place(document, signature)
    method = None
    for transform in reference.iterfind(f"{_ds('Transforms')}/{_ds('Transform')}"):
        if transform.get("Algorithm") == ENVELOPED:
            _remove(twin)
        elif _is_canonicalisation(transform):
            method = transform
    return _canonical(subject, method, comments)


def _same_place(document, element):
    """The node of a copied document that stands where `element` stands in the original."""
    place = []
    while element.getparent() is not None:
        place.append(element.getparent().index(element))
        element = element.getparent()
    node = document.getroot()
    for index in reversed(place):
        node = node[index]
    return node


def _remove(node):
    """Remove a node but leave the text behind it, which lxml counts as part of the node."""
    parent = node.getparent()
    if parent is None:
        return
    if node.tail:
        before = node.getprevious()
        if before is None:
            parent.text = (parent.text or "") + node.tail
        else:
            before.tail = (before.tail or "") + node.tail
    node.tail = None
    parent.remove(node)


# --- Canonical form ---------------------------------------------------------------------------------


def _is_canonicalisation(method):
    return method.get("Algorithm", "").removesuffix("WithComments").rstrip("#") in (C14N, C14N11, EXC_C14N.rstrip("#"))


def _canonical(node, method, comments=True):
    """Canonical octets of a subtree within its document, or of a document. Without a method: C14N 1.0, the default.

    lxml 4.9 puts a wrong xmlns="" into the inclusive form of a subtree, so the subtree is made a document of its own
    first; its serialisation takes the namespaces in scope along. (Inherited xml: attributes are not; SAML has none.)
    """
    algorithm = C14N if method is None else method.get("Algorithm")
    prefixes = None
    if method is not None and (listed := method.find(f"{{{EXC_C14N}}}InclusiveNamespaces")) is not None:
        prefixes = listed.get("PrefixList", "").split()
    return etree.tostring(
        _parsed(etree.tostring(node, with_tail=False)),
        method="c14n",
        exclusive=algorithm.startswith(EXC_C14N),
        with_comments=comments and algorithm.endswith("WithComments"),
        inclusive_ns_prefixes=prefixes,
    )


def _parsed(octets):
    return etree.fromstring(octets, etree.XMLParser(huge_tree=True, load_dtd=False, no_network=True)).getroottree()


# --- Values -----------------------------------------------------------------------------------------


def _digest(algorithm, octets):
    context = hashes.Hash(algorithm)
    context.update(octets)
    return context.finalize()


def _sign(octets, method, key):
    name = SIGNATURE_OF_URI.get(method.get("Algorithm"))
    if name is None:
        return None
    algorithm = DIGESTS[name.rpartition("-")[2]][1]()
    if name.startswith("hmac-"):
        value = hmac.new(key, octets, algorithm.name).digest()
        length = method.findtext(_ds("HMACOutputLength"))
        return value[: int(length) // 8] if length else value
    if name.startswith("rsa-pss-") and isinstance(key, rsa.RSAPrivateKey):
        scheme = padding.PSS(mgf=padding.MGF1(algorithm), salt_length=algorithm.digest_size)
        return key.sign(octets, scheme, algorithm)
    if name.startswith("rsa-") and isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, padding.PKCS1v15(), algorithm)
    if name.startswith("ecdsa-") and isinstance(key, ec.EllipticCurvePrivateKey):
        # XMLDSig wants r and s side by side, each as long as the curve's order, not ASN.1 (RFC 4050).
        size = (key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(algorithm)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    raise ValueError(f"{name} cannot be made with {type(key).__name__}")


def _fill_key_info(signature, certificate):
    place = signature.find(f"{_ds('KeyInfo')}/{_ds('X509Data')}/{_ds('X509Certificate')}")
    if place is None:
        key_info = etree.Element(_ds("KeyInfo"))
        place = _sub(_sub(key_info, "X509Data"), "X509Certificate")
        # KeyInfo follows SignatureValue; a ds:Object of the template stays behind it.
        signature.insert(signature.index(signature.find(_ds("SignatureValue"))) + 1, key_info)
    place.text = certificate_base64(certificate)


def _ds(name):
    return f"{{{DS}}}{name}"


def _sub(parent, name, algorithm=None):
    child = etree.SubElement(parent, _ds(name))
    if algorithm is not None:
        child.set("Algorithm", algorithm)
    return child


def _base64(octets):
    return base64.b64encode(octets).decode("ascii")
