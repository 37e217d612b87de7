import java.util.Date;
import java.util.List;
import java.util.Map;
import org.hisp.dhis.Dhis2;
import org.hisp.dhis.Dhis2Config;
import org.hisp.dhis.model.DataDomain;
import org.hisp.dhis.model.AggregationType;
import org.hisp.dhis.model.DataElement;
import org.hisp.dhis.model.OrgUnit;
import org.hisp.dhis.model.ValueType;
import org.hisp.dhis.model.datavalueset.DataValue;
import org.hisp.dhis.model.datavalueset.DataValueSet;
import org.hisp.dhis.model.datavalueset.DataValueSetImportOptions;
import org.hisp.dhis.model.enrollment.Enrollment;
import org.hisp.dhis.model.enrollment.EnrollmentStatus;
import org.hisp.dhis.model.event.Event;
import org.hisp.dhis.model.event.EventDataValue;
import org.hisp.dhis.model.event.EventStatus;
import org.hisp.dhis.model.event.Events;
import org.hisp.dhis.model.trackedentity.TrackedEntity;
import org.hisp.dhis.model.tracker.TrackedEntityObjects;
import org.hisp.dhis.query.Filter;
import org.hisp.dhis.query.Order;
import org.hisp.dhis.query.Query;
import org.hisp.dhis.query.datavalue.DataValueSetQuery;
import org.hisp.dhis.query.event.EventQuery;
import org.hisp.dhis.query.trackedentity.TrackedEntityQuery;
import org.hisp.dhis.query.tracker.AtomicMode;
import org.hisp.dhis.query.tracker.TrackedEntityImportParams;
import org.hisp.dhis.response.Dhis2ClientException;

/** The usual work of dhis2-java-client against a sandbox: URL VERSION. It ends with 1 at the first thing that is not as expected. */
public class WorkWithJavaClient {
  static final String HOME = "ygq0iefHYLW";
  static final String PROGRAM = "HKEoH96oH4U";
  static final String PERSON = "DEEHBfgFvHr";
  static final String FIRST_NAME = "JMYmVp2S0Xl";
  static final String WEIGHT = "DSyKLVrDSl7";

  static void expect(Object want, Object got, String what) {
    if (!String.valueOf(want).equals(String.valueOf(got))) {
      throw new AssertionError(what + ": expected " + want + ", got " + got);
    }
  }

  public static void main(String[] args) {
    Dhis2 dhis2 = new Dhis2(new Dhis2Config(args[0], "admin", "district"));
    people(dhis2);
    metadata(dhis2, args[1]);
    tracker(dhis2);
    events(dhis2);
    aggregate(dhis2);
    dataStore(dhis2);
    try {
      new Dhis2(new Dhis2Config(args[0], "admin", "wrong")).getMe();
      throw new AssertionError("a wrong password is accepted");
    } catch (Dhis2ClientException e) {
      expect(401, e.getStatusCode(), "the status for a wrong password");
    }
    System.out.println("done");
  }

  static void people(Dhis2 dhis2) {
    expect("admin", dhis2.getMe().getUsername(), "me");
    expect(true, dhis2.getUserAuthorization().contains("ALL"), "the superuser's authorities");
    expect(1, dhis2.getUsers(Query.instance().addFilter(Filter.eq("username", "clerk"))).size(), "users named clerk");
  }

  static void metadata(Dhis2 dhis2, String version) {
    expect(true, dhis2.getSystemInfo().getVersion().startsWith(version), "the version");
    List<OrgUnit> regions = dhis2.getOrgUnits(Query.instance().addFilter(Filter.eq("level", 2)).setOrder(Order.desc("name")));
    expect(4, regions.size(), "regions");
    expect(true, regions.get(0).getName().compareTo(regions.get(3).getName()) > 0, "the order of regions");
    expect(5, dhis2.getOrgUnits(Query.instance().setPaging(2, 5)).size(), "org units of a page");
    expect("TM-010202", dhis2.getOrgUnit(HOME).getCode(), "the code of an org unit");
    expect(true, dhis2.isOrgUnit(HOME), "an org unit that is there");
    expect(false, dhis2.isOrgUnit("aaaaaaaaaaa"), "an org unit that is not");
    expect(3, dhis2.getProgram(PROGRAM).getProgramStages().size(), "stages of a program");
    expect(5, dhis2.getDataSets(Query.instance()).size(), "data sets");
    expect(true, dhis2.getOptionSets(Query.instance().withExpandAssociations()).size() > 2, "option sets");
    DataElement element = new DataElement();
    element.setId("jAvaC1ientE");
    element.setName("Made by the Java client");
    element.setShortName("Made by Java");
    element.setValueType(ValueType.INTEGER);
    element.setAggregationType(AggregationType.SUM);
    element.setDomainType(DataDomain.AGGREGATE);
    expect(201, dhis2.saveMetadataObject(element).getHttpStatusCode(), "a data element made");
    element.setName("Changed by the Java client");
    expect(200, dhis2.updateMetadataObject(element).getHttpStatusCode(), "a data element changed");
    expect("Changed by the Java client", dhis2.getDataElement("jAvaC1ientE").getName(), "the name of the data element");
    expect(200, dhis2.removeDataElement("jAvaC1ientE").getHttpStatusCode(), "a data element removed");
  }

  static void tracker(Dhis2 dhis2) {
    Date day = new Date(1772409600000L); // 2026-03-02
    TrackedEntity person = new TrackedEntity("jAvaC1ientT");
    person.setTrackedEntityType(PERSON);
    person.setOrgUnit(HOME);
    person.addAttributeValue(FIRST_NAME, "Amina");
    person.addAttributeValue("FaVymXsLADq", "1990-01-01");
    Enrollment enrollment = new Enrollment("jAvaC1ientN");
    enrollment.setProgram(PROGRAM);
    enrollment.setTrackedEntity("jAvaC1ientT");
    enrollment.setOrgUnit(HOME);
    enrollment.setStatus(EnrollmentStatus.ACTIVE);
    enrollment.setEnrolledAt(day);
    enrollment.setOccurredAt(day);
    Event visit = new Event("jAvaC1ientV");
    visit.setProgram(PROGRAM);
    visit.setProgramStage("qgrv8l2KyHh");
    visit.setEnrollment("jAvaC1ientN");
    visit.setOrgUnit(HOME);
    visit.setStatus(EventStatus.ACTIVE);
    visit.setOccurredAt(day);
    visit.setDataValues(List.of(new EventDataValue(WEIGHT, "61.5")));
    TrackedEntityObjects objects = new TrackedEntityObjects().addTrackedEntity(person).addEnrollment(enrollment).addEvent(visit);
    TrackedEntityImportParams params = TrackedEntityImportParams.instance().setAtomicMode(AtomicMode.OBJECT);
    var imported = dhis2.saveTrackedEntityObjects(objects, params);
    expect("OK", imported.getStatus(), "a person with an enrollment and a visit");
    expect(List.of(), imported.getValidationReport().getErrorReports(), "errors of the import");
    TrackedEntity read = dhis2.getTrackedEntity("jAvaC1ientT");
    expect(true, read.getAttributes().stream().anyMatch(a -> "Amina".equals(a.getValue())), "the person has her name");
    expect(PROGRAM, dhis2.getEnrollment("jAvaC1ientN").getProgram(), "the enrollment's program");
    expect("61.5", dhis2.getEvent("jAvaC1ientV").getDataValues().get(0).getValue(), "the weight");
    TrackedEntityQuery query = TrackedEntityQuery.instance().setProgram(PROGRAM).setOrgUnits(List.of(HOME))
        .addFilter(Filter.eq(FIRST_NAME, "amina"));
    expect(1, dhis2.getTrackedEntities(query).getTrackedEntities().size(), "people named Amina");
  }

  static void events(Dhis2 dhis2) {
    Event malaria = new Event("jAvaC1ientM");
    malaria.setProgram("WIryy1wQ0aZ");
    malaria.setProgramStage("sIJOpbzw0kN");
    malaria.setOrgUnit(HOME);
    malaria.setStatus(EventStatus.ACTIVE);
    malaria.setOccurredAt(new Date(1772409600000L));
    malaria.setDataValues(List.of(new EventDataValue("Gy8dw06me68", "30"), new EventDataValue("AnKshR9vP4W", "MALE")));
    expect("OK", dhis2.saveEvents(new Events(List.of(malaria))).getStatus(), "a case of malaria");
    EventQuery query = EventQuery.instance().setProgram("WIryy1wQ0aZ").setOrgUnit(HOME);
    expect(1, dhis2.getEvents(query).getEvents().size(), "cases of malaria");
    malaria.setDataValues(List.of(new EventDataValue("Gy8dw06me68", "thirty"), new EventDataValue("AnKshR9vP4W", "MALE")));
    try {
      expect("ERROR", dhis2.saveEvents(new Events(List.of(malaria))).getStatus(), "an age in words");
    } catch (Dhis2ClientException e) {
      expect(409, e.getStatusCode(), "the status for an age in words");
    }
    expect("OK", dhis2.removeEvent(malaria).getStatus(), "a case removed");
    expect(0, dhis2.getEvents(query).getEvents().size(), "cases left");
  }

  static void aggregate(Dhis2 dhis2) {
    DataValueSet set = new DataValueSet().setDataSet("FSh2AafV4XC").setPeriod("202401").setOrgUnit(HOME).setCompleteDate("2024-02-03");
    set.addDataValue(new DataValue().setDataElement("ht5dzHrMOFb").setValue("12"));
    set.addDataValue(new DataValue().setDataElement("rLSjTlmNVmt").setValue("5"));
    var saved = dhis2.saveDataValueSet(set, DataValueSetImportOptions.instance());
    expect("SUCCESS", saved.getStatus(), "a report: " + saved);
    DataValueSetQuery query = DataValueSetQuery.instance().addDataSets(List.of("FSh2AafV4XC")).addPeriods(List.of("202401"))
        .addOrgUnits(List.of(HOME));
    expect(2, dhis2.getDataValueSet(query).getDataValues().size(), "values of the report");
  }

  static void dataStore(Dhis2 dhis2) {
    expect(201, dhis2.saveDataStoreEntry("java", "one", Map.of("a", 1)).getHttpStatusCode(), "an entry made");
    expect(200, dhis2.updateDataStoreEntry("java", "one", Map.of("a", 2)).getHttpStatusCode(), "an entry changed");
    expect(List.of("one"), dhis2.getDataStoreKeys("java"), "keys");
    expect(true, dhis2.getDataStoreNamespaces().contains("java"), "namespaces");
    expect(2, dhis2.getDataStoreEntry("java", "one", Map.class).get("a"), "the entry");
    expect("one", dhis2.getDataStoreEntryMetadata("java", "one").getKey(), "what is said of the entry");
    expect(200, dhis2.removeDataStoreNamespace("java").getHttpStatusCode(), "the namespace removed");
  }
}
