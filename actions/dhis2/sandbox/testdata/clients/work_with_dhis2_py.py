"""The usual work of dhis2.py against a server: python work_with_dhis2_py.py URL VERSION. Says what went wrong and ends with 1."""
import sys

from dhis2 import Api, RequestException

url, version = sys.argv[1], sys.argv[2]
HOSPITAL, COAST, DATA_SET, ELEMENT, ANC, PERSON, NAME = ("ygq0iefHYLW", "Yq5tLlwvqpR", "FSh2AafV4XC", "hDcgGqsTAYb", "HKEoH96oH4U", "DEEHBfgFvHr", "JMYmVp2S0Xl")
failed = []


def check(what, ok, seen=""):
    if not ok:
        failed.append(f"{what}: {seen}")


api = Api(url, "admin", "district")
check("version", api.version.startswith(version), api.version)
check("me", api.get("me", params={"fields": "username,authorities"}).json()["username"] == "admin")
check("schemas", any(s["plural"] == "organisationUnits" for s in api.get("schemas", params={"fields": "name,plural"}).json()["schemas"]))
pages = list(api.get_paged("organisationUnits", params={"fields": "id,name"}, page_size=20))
merged = api.get_paged("organisationUnits", params={"fields": "id"}, page_size=30, merge=True)["organisationUnits"]
check("pages", len(merged) == pages[0]["pager"]["total"] and len({u["id"] for u in merged}) == len(merged), len(merged))
check("filters", len(api.get("organisationUnits", params=[("filter", "level:eq:2"), ("filter", "name:like:o")]).json()["organisationUnits"]) > 0)

r = api.post("dataValueSets", json={"dataSet": DATA_SET, "period": "202601", "orgUnit": HOSPITAL, "dataValues": [{"dataElement": ELEMENT, "value": "7"}]})
check("data values", r.json()["status"] == "OK", r.text)
values = api.get("dataValueSets", params={"dataSet": DATA_SET, "period": "202601", "orgUnit": HOSPITAL}).json()["dataValues"]
check("values read", [v["value"] for v in values] == ["7"], values)
csv = api.get("dataValueSets", file_type="csv", params={"dataSet": DATA_SET, "period": "202601", "orgUnit": HOSPITAL}).text
check("values as csv", ELEMENT in csv and csv.count("\n") == 2, csv)

person = {"trackedEntity": "pyPerson001", "trackedEntityType": PERSON, "orgUnit": HOSPITAL, "attributes": [{"attribute": NAME, "value": "Ama"}]}
r = api.post("tracker", json={"trackedEntities": [person]}, params={"async": "false"})
check("tracker", r.json()["stats"]["created"] == 1, r.text)
check("tracker read", api.get("tracker/trackedEntities/pyPerson001", params={"fields": "trackedEntity"}).json()["trackedEntity"] == "pyPerson001")

unit = {"id": "pyOrgUnit01", "name": "Py Post", "shortName": "Py Post", "openingDate": "2026-01-01", "parent": {"id": COAST}}
check("org unit made", api.post("organisationUnits", json=unit).status_code == 201)
check("org unit changed", api.put("organisationUnits/pyOrgUnit01", data=dict(unit, name="Py Posts")).status_code == 200)
for part in api.post_partitioned("metadata", json={"organisationUnits": [dict(unit, id=f"pyOrgUnit{n:02}", code=f"PY{n}") for n in range(2, 6)]}, thresh=2):
    check("metadata in parts", part.json()["status"] == "OK", part.text)
check("org unit deleted", api.delete("organisationUnits/pyOrgUnit05").status_code == 200)
check("data store", api.post("dataStore/py/settings", json={"a": 1}).status_code == 201 and api.get("dataStore/py/settings").json() == {"a": 1})
for path in ("organisationUnits/aaaaaaaaaaa", "nonsense"):
    try:
        api.get(path)
        failed.append(f"{path} is there")
    except RequestException as e:
        check(path, e.code == 404, e.code)
print("\n".join(failed) or "fine")
sys.exit(1 if failed else 0)
