// Package httpreq is the action http.request: what a record says goes to any system that has a web
// API, such as OpenMRS, a FHIR server or a gateway for text messages.
package httpreq
