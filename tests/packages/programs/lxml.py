"""XPath, XSLT, XML Schema, HTML, and Schematron, whose style sheets are data files of the package."""

from lxml import etree, html, isoschematron

DISTRIBUTIONS = ["lxml"]
BOOKS = b"""<?xml version="1.0"?>
<b:books xmlns:b="urn:books">
  <b:book year="1843"><b:title>Note G</b:title><b:price>12.50</b:price></b:book>
  <b:book year="1936"><b:title>On Computable Numbers</b:title><b:price>30</b:price></b:book>
</b:books>"""
SHEET = b"""<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:b="urn:books">
  <xsl:output method="text"/>
  <xsl:param name="mark" select="'-'"/>
  <xsl:template match="/"><xsl:for-each select="//b:book"><xsl:sort select="@year" order="descending"/>
    <xsl:value-of select="concat($mark, b:title, ';')"/></xsl:for-each></xsl:template>
</xsl:stylesheet>"""
SCHEMA = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="n" type="xs:positiveInteger"/>
</xs:schema>"""
RULES = b"""<schema xmlns="http://purl.oclc.org/dsdl/schematron">
  <ns prefix="b" uri="urn:books"/>
  <pattern><rule context="b:book"><assert test="b:price &lt; 20">too dear</assert></rule></pattern>
</schema>"""
NAMES = {"b": "urn:books"}


def work():
    """Ask, transform, and check some documents."""
    books = etree.fromstring(BOOKS)
    titles = books.xpath("//b:book[@year < 1900]/b:title/text()", namespaces=NAMES)
    assert titles == ["Note G"], titles
    assert books.xpath("sum(//b:price)", namespaces=NAMES) == 42.5
    yield f"XPath: {titles}"
    made = str(etree.XSLT(etree.fromstring(SHEET))(books, mark=etree.XSLT.strparam("*")))
    assert made.strip() == "*On Computable Numbers;*Note G;", made
    yield f"XSLT: {made.strip()}"
    schema = etree.XMLSchema(etree.fromstring(SCHEMA))
    assert schema.validate(etree.fromstring("<n>7</n>"))
    assert not schema.validate(etree.fromstring("<n>-7</n>"))
    told = schema.error_log.last_error.message
    assert "positiveInteger" in told, told
    rules = isoschematron.Schematron(etree.fromstring(RULES), store_report=True)
    assert not rules.validate(books)
    assert "too dear" in str(rules.validation_report)
    yield f"XML Schema and Schematron: {told}"
    page = html.fromstring("<p>a <b>bold<p>two &uuml;")
    assert page.xpath("//p[2]/text()") == ["two \u00fc"]
    try:
        etree.fromstring("<a>\n<b></a>")
    except etree.XMLSyntaxError as error:
        assert error.lineno == 2, error
    yield f"HTML, and errors with their line; libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}"
