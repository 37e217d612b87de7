"""The usual work of dhis2-client against a server: python work_with_dhis2_client.py URL VERSION. Says what went wrong and ends with 1."""
import sys

from dhis2_client import DHIS2Client

url, version = sys.argv[1], sys.argv[2]
HOSPITAL, COAST, DATA_SET, ELEMENT = "ygq0iefHYLW", "Yq5tLlwvqpR", "FSh2AafV4XC", "hDcgGqsTAYb"
failed = []


def check(what, ok, seen=""):
    if not ok:
        failed.append(f"{what}: {seen}")


c = DHIS2Client(url, username="admin", password="district", retries=1)
check("version", c.get_system_info()["version"].startswith(version))
check("me", c.get_current_user()["username"] == "admin")
units = list(c.get_organisation_units(fields="id,name,level"))
check("org units", len(units) > 50, len(units))
check("one org unit", c.get_org_unit(COAST, fields="id,name")["id"] == COAST)
check("data elements", ELEMENT in {e["id"] for e in c.get_data_elements(fields="id")})
check("data sets", DATA_SET in {s["id"] for s in c.get_data_sets(fields="id")})
made = c.create_org_unit({"id": "pcOrgUnit01", "name": "Client Post", "shortName": "Client Post", "openingDate": "2026-01-01", "parent": {"id": COAST}})
check("org unit made", made.get("status") == "OK", made)
check("org unit patched", c.patch("/api/organisationUnits/pcOrgUnit01", json=[{"op": "replace", "path": "/name", "value": "Posts"}]).get("status") == "OK")
check("org unit read", c.get_org_unit("pcOrgUnit01", fields="name")["name"] == "Posts")
c.delete_org_unit("pcOrgUnit01")
r = c.post_data_value_set({"dataSet": DATA_SET, "period": "202602", "orgUnit": HOSPITAL, "dataValues": [{"dataElement": ELEMENT, "value": "9"}]})
check("data values", r.get("status") == "OK", r)
values = c.get_data_value_set({"dataSet": DATA_SET, "period": "202602", "orgUnit": HOSPITAL})["dataValues"]
check("values read", [v["value"] for v in values] == ["9"], values)
key = c.post("/api/apiToken", json={})["response"]["key"]
check("a token", DHIS2Client(url, token=key, retries=1).get_current_user()["username"] == "admin")
print("\n".join(failed) or "fine")
sys.exit(1 if failed else 0)
