//! The WSDL of the simulated service: what .NET writes, as far as a client needs it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::NAMESPACE;

type Parameters = &'static [(&'static str, &'static str)];

/// The document for these methods.
pub fn wsdl(methods: &BTreeMap<&'static str, Parameters>) -> String {
    let mut types = String::new();
    let mut messages = String::new();
    let mut operations = String::new();
    let mut bindings = String::new();
    for (method, parameters) in methods {
        let credentials: Parameters = &[("authUserName", "s:string"), ("authPassword", "s:string")];
        let mut fields = String::new();
        for (name, kind) in credentials.iter().chain(*parameters) {
            _ = write!(
                fields,
                "<s:element minOccurs=\"0\" maxOccurs=\"1\" name=\"{name}\" type=\"{kind}\"/>"
            );
        }
        _ = write!(
            types,
            "<s:element name=\"{method}\"><s:complexType><s:sequence>{fields}</s:sequence></s:complexType></s:element>"
        );
        _ = write!(
            messages,
            "<wsdl:message name=\"{method}SoapIn\"><wsdl:part name=\"parameters\" element=\"tns:{method}\"/></wsdl:message>"
        );
        _ = write!(
            operations,
            "<wsdl:operation name=\"{method}\"><wsdl:input message=\"tns:{method}SoapIn\"/></wsdl:operation>"
        );
        _ = write!(
            bindings,
            "<wsdl:operation name=\"{method}\"><soap:operation soapAction=\"{NAMESPACE}/{method}\" style=\"document\"/></wsdl:operation>"
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
        <wsdl:definitions xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" xmlns:tns=\"{NAMESPACE}\" \
        xmlns:s=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"{NAMESPACE}\" \
        xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\">\
        <wsdl:types><s:schema elementFormDefault=\"qualified\" targetNamespace=\"{NAMESPACE}\">{types}\
        <s:complexType name=\"ArrayOfString\"><s:sequence><s:element minOccurs=\"0\" maxOccurs=\"unbounded\" \
        name=\"string\" nillable=\"true\" type=\"s:string\"/></s:sequence></s:complexType></s:schema></wsdl:types>\
        {messages}<wsdl:portType name=\"svcOrganizationSoap\">{operations}</wsdl:portType>\
        <wsdl:binding name=\"svcOrganizationSoap\" type=\"tns:svcOrganizationSoap\">{bindings}</wsdl:binding>\
        </wsdl:definitions>"
    )
}
